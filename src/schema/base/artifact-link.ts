import type { LinkTerms, SignedLinks } from '../../domain/links/signed-links.ts'
import type { Uploads, UploadTicket } from '../../domain/links/uploads.ts'
import { ARTIFACTS_PATH, TRACE_VIEWER_PATH, UPLOADS_PATH } from '../../http-paths.ts'
import type { ArtifactRecord } from '../../ports/artifact.ts'
import { encodeGlobalId } from '../../contract/global-id.ts'

/** Opens the artifact, and nothing else, without a key. */
export function artifactUrl(links: SignedLinks, { id, name }: ArtifactRecord, terms: LinkTerms): string {
  const query = { ...links.sign('artifact', [id, name], terms) }
  return links.url(`${ARTIFACTS_PATH}${encodeGlobalId('Artifact', id)}/${encodeURIComponent(name)}`, query)
}

/** The trace viewer, opened on the artifact; null for what is no trace. */
export function traceViewerUrl(links: SignedLinks, record: ArtifactRecord, terms: LinkTerms): string | null {
  if (record.kind !== 'TRACE') return null
  return links.url(`${TRACE_VIEWER_PATH}index.html`, { trace: artifactUrl(links, record, terms) })
}

/** Takes one PUT of the file that the ticket is for. */
export function uploadUrl(links: SignedLinks, uploads: Uploads, ticket: UploadTicket): string {
  const { artifactId, sessionId, name, contentType } = ticket
  return links.url(`${UPLOADS_PATH}${encodeGlobalId('Artifact', artifactId)}`, {
    session: encodeGlobalId('Session', sessionId),
    name,
    type: contentType,
    ...uploads.sign(ticket),
  })
}
