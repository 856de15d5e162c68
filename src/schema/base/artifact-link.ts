import type { LinkTerms, SignedLinks } from '../../domain/links/signed-links.ts'
import type { Uploads, UploadTicket } from '../../domain/links/uploads.ts'
import { ARTIFACTS_PATH, TRACE_VIEWER_PATH, UPLOADS_PATH } from '../../http-paths.ts'
import type { ArtifactRecord } from '../../ports/artifacts/artifact.ts'
import { encodeGlobalId } from '../../contract/global-id.ts'

/** Opens only this artifact, without a key. */
export function artifactUrl(links: SignedLinks, { id, name }: ArtifactRecord, terms: LinkTerms): string {
  const query = { ...links.sign('artifact', [id, name], terms) }
  return links.url(`${ARTIFACTS_PATH}${encodeGlobalId('Artifact', id)}/${encodeURIComponent(name)}`, query)
}

/** Opens the artifact in the trace viewer; null if it is not a trace. */
export function traceViewerUrl(links: SignedLinks, record: ArtifactRecord, terms: LinkTerms): string | null {
  if (record.kind !== 'TRACE') return null
  return links.url(`${TRACE_VIEWER_PATH}index.html`, { trace: artifactUrl(links, record, terms) })
}

/** Accepts one PUT of the ticket's file. */
export function uploadUrl(links: SignedLinks, uploads: Uploads, ticket: UploadTicket): string {
  const { artifactId, sessionId, name, contentType } = ticket
  return links.url(`${UPLOADS_PATH}${encodeGlobalId('Artifact', artifactId)}`, {
    session: encodeGlobalId('Session', sessionId),
    name,
    type: contentType,
    ...uploads.sign(ticket),
  })
}
