import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Logger } from 'pino'
import { asClientError } from '../../domain/kernel/database-unavailable.ts'
import { TabwireError } from '../../domain/kernel/errors.ts'
import type { Uploads, UploadSubject } from '../../domain/links/uploads.ts'
import { UPLOADS_PATH } from '../../http-paths.ts'
import { encodeGlobalId, uuidOf } from '../../contract/global-id.ts'
import { answerJson } from '../base/json-response.ts'
import type { Connections } from '../base/connections.ts'
import { answerLinkInvalid, linkQueryOf } from './signed-link-responses.ts'
import { bodyOf } from '../base/request-time.ts'

const METHODS = 'PUT, OPTIONS'

/** How long a client whose link has ended may take to notice. */
const ENDED_NOTICE_MS = 1_000

const STATUS_OF: Record<string, number> = {
  CONFLICT: 409,
  DATABASE_UNAVAILABLE: 503,
  NOT_FOUND: 404,
  QUOTA_EXCEEDED: 413,
  STORAGE_FULL: 507,
  STORAGE_UNAVAILABLE: 503,
}

/** Receives files from holders of an upload link: PUT /uploads/<artifact id>?… with the bytes as its body. */
export function createArtifactUploads(uploads: Uploads, connections: Connections, logger: Logger) {
  return async (request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> => {
    response.setHeader('access-control-allow-origin', '*')
    response.setHeader('cache-control', 'no-store')
    if (request.method === 'OPTIONS') return answerPreflight(response)
    if (request.method !== 'PUT') {
      response.setHeader('allow', METHODS)
      return answerJson(response, 405, { error: { code: 'METHOD_NOT_ALLOWED', message: `Use ${METHODS}.` } })
    }
    const left = new AbortController()
    const body = bodyOf(request)
    const leave = () => left.abort()
    response.once('close', leave)
    let hasEnded = false
    let unwatch = () => {}
    try {
      const subject = subjectOf(url)
      const terms = subject && (await uploads.read(subject, linkQueryOf(url)))
      if (!terms) {
        answerLinkInvalid(response)
        return void body.destroy()
      }
      const owner = await uploads.ownerOf(subject)
      if (owner !== null) connections.of(request.socket).admit(owner, 'link')
      unwatch = uploads.onEnd(terms, () => {
        hasEnded = true
        leave()
      })
      const announced = request.headers['content-length']
      const bytes = announced === undefined ? null : Number(announced)
      const kept = await uploads.receive(subject, terms, body, bytes, left.signal)
      const { id, name, contentType, sizeBytes, sha256 } = kept
      answerJson(response, 201, { id: encodeGlobalId('Artifact', id), name, contentType, sizeBytes, sha256 })
    } catch (thrown) {
      const error = asClientError(thrown)
      if (hasEnded && !response.destroyed) {
        logger.debug({ err: error }, 'the link of an upload became invalid before its file was received')
        answerLinkInvalid(response)
        body.destroy()
        return letGo(request)
      }
      if (left.signal.aborted || request.errored) {
        logger.debug({ err: error }, 'an upload was aborted')
        return void response.destroy()
      }
      const status = error instanceof TabwireError ? STATUS_OF[error.code] : undefined
      if (status === undefined || !(error instanceof TabwireError)) throw error
      const seconds = error.extensions['retryAfterSeconds']
      if (typeof seconds === 'number') response.setHeader('retry-after', seconds)
      answerJson(response, status, { error: { code: error.code, message: error.message } })
      body.destroy()
    } finally {
      unwatch()
      response.off('close', leave)
    }
  }
}

/** Disconnects a client that continues to send. */
function letGo(request: IncomingMessage): void {
  const { socket } = request
  const timer = setTimeout(() => socket.destroy(), ENDED_NOTICE_MS)
  const stop = () => clearTimeout(timer)
  socket.once('close', stop)
  request.once('end', stop)
}

function answerPreflight(response: ServerResponse): void {
  response.writeHead(204, {
    'access-control-allow-methods': METHODS,
    'access-control-allow-headers': 'content-type',
    'access-control-max-age': '86400',
  })
  response.end()
}

function subjectOf({ pathname, searchParams }: URL): UploadSubject | null {
  const artifactId = uuidOf('Artifact', pathname.slice(UPLOADS_PATH.length))
  const sessionId = uuidOf('Session', searchParams.get('session') ?? '')
  const name = searchParams.get('name')
  const contentType = searchParams.get('type')
  if (!artifactId || !sessionId || name === null || contentType === null) return null
  return { artifactId, sessionId, name, contentType }
}
