import type { SignedLinks } from '../domain/signed-links.ts'
import type { UploadTicket } from '../domain/uploads.ts'
import type { ArtifactRecord } from '../ports/artifact.ts'
import { encodeGlobalId } from './global-id.ts'

/** Where the server has the routes of artifacts. */
export const ARTIFACTS_PATH = '/artifacts/'
export const UPLOADS_PATH = '/uploads/'
export const TRACE_VIEWER_PATH = '/trace/'

/** Opens the artifact, and nothing else, without a key. Throws BadUserInput when ttlSeconds is out of bounds. */
export function artifactUrl(links: SignedLinks, { id, name }: ArtifactRecord, ttlSeconds: number): string {
  const { query } = links.sign('artifact', [id, name], ttlSeconds)
  return links.url(`${ARTIFACTS_PATH}${encodeGlobalId('Artifact', id)}/${encodeURIComponent(name)}`, query)
}

/** The trace viewer, opened on the artifact. */
export function traceViewerUrl(links: SignedLinks, record: ArtifactRecord, ttlSeconds: number): string {
  return links.url(`${TRACE_VIEWER_PATH}index.html`, { trace: artifactUrl(links, record, ttlSeconds) })
}

/** Takes one PUT of the file that the ticket is for. */
export function uploadUrl(
  links: SignedLinks,
  { artifactId, sessionId, name, contentType, query }: UploadTicket,
): string {
  const session = encodeGlobalId('Session', sessionId)
  return links.url(`${UPLOADS_PATH}${encodeGlobalId('Artifact', artifactId)}`, {
    session,
    name,
    type: contentType,
    ...query,
  })
}
