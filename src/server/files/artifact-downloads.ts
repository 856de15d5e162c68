import type { IncomingMessage, ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { create as contentDisposition } from 'content-disposition'
import fresh from 'fresh'
import parseRange from 'range-parser'
import type { Artifacts } from '../../domain/artifacts/artifacts.ts'
import { NotFound, TabwireError } from '../../domain/kernel/errors.ts'
import type { LinkTerms, SignedLinks } from '../../domain/links/signed-links.ts'
import type { ArtifactRecord } from '../../ports/artifacts/artifact.ts'
import type { ByteRange } from '../../ports/artifacts/artifact-store.ts'
import { ARTIFACTS_PATH } from '../../http-paths.ts'
import { uuidOf } from '../../contract/global-id.ts'
import { answerJson, answerNotFound } from '../base/json-response.ts'
import type { Connections } from '../base/connections.ts'
import { answerLinkInvalid, linkQueryOf } from './signed-link-responses.ts'

export interface ArtifactDownloadOptions {
  artifacts: Artifacts
  links: SignedLinks
  connections: Connections
  /** Redirect clients to the object store if it provides URLs. */
  redirect: boolean
}

/** A presigned URL of the bucket cannot be revoked, even if the link or its key is. */
const PRESIGNED_SECONDS = 60

const METHODS = 'GET, HEAD, OPTIONS'

/** Serves artifacts to holders of a signed link: GET and HEAD /artifacts/<id>/<name>?expires=…&maker=…&signature=… */
export function createArtifactDownloads({ artifacts, links, connections, redirect }: ArtifactDownloadOptions) {
  /** The link is the authorization, so any site may read the response. */
  const allowOrigins = (response: ServerResponse) => {
    response.setHeader('access-control-allow-origin', '*')
    response.setHeader('access-control-expose-headers', EXPOSED)
    response.setHeader('cross-origin-resource-policy', 'cross-origin')
    // A sandboxed document has no authority that a frame around it could borrow.
    response.removeHeader('x-frame-options')
  }

  return async (request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> => {
    allowOrigins(response)
    if (request.method === 'OPTIONS') return answerPreflight(response)
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', METHODS)
      return answerJson(response, 405, { error: { code: 'METHOD_NOT_ALLOWED', message: `Use ${METHODS}.` } })
    }
    const subject = subjectOf(url.pathname)
    const terms = subject && (await links.read('artifact', [subject.id, subject.name], linkQueryOf(url)))
    if (!terms) return answerLinkInvalid(response)
    const record = await artifacts.findSigned(subject.id)
    if (!record) return answerNotFound(response)
    connections.of(request.socket).admit(record.owner, 'link')

    const disposition = dispositionOf(record, url.searchParams.get('download') === '1')
    // The trace viewer may connect to this server only.
    if (redirect && request.method === 'GET' && record.kind !== 'TRACE') {
      const secondsLeft = Math.floor(terms.expiresAt / 1000) - Math.floor(Date.now() / 1000)
      if (secondsLeft < 1) return answerLinkInvalid(response)
      const presigned = await artifacts.presign(record, disposition, Math.min(secondsLeft, PRESIGNED_SECONDS))
      if (presigned) {
        response.writeHead(302, { location: presigned, 'cache-control': 'no-store', 'content-length': 0 }).end()
        return
      }
    }
    for (const [name, value] of Object.entries(headersOf(record, disposition))) {
      response.setHeader(name, value)
    }
    if (isOther(request, response)) {
      const error = { code: 'PRECONDITION_FAILED', message: 'The file is not the one that was wanted.' }
      return answerJson(response, 412, { error })
    }
    if (isFresh(request, response)) {
      response.removeHeader('content-type')
      response.writeHead(304).end()
      return
    }
    const range = rangeOf(request, response, record)
    if (range === 'unsatisfiable') {
      response.setHeader('content-range', `bytes */${record.sizeBytes}`)
      return answerJson(response, 416, {
        error: { code: 'RANGE_NOT_SATISFIABLE', message: 'Range not satisfiable.' },
      })
    }
    await send(request, response, record, range, terms)
  }

  async function send(
    request: IncomingMessage,
    response: ServerResponse,
    record: ArtifactRecord,
    range: ByteRange | null,
    terms: LinkTerms,
  ): Promise<void> {
    const length = range ? range.end - range.start + 1 : record.sizeBytes
    const writeHead = () => {
      if (range) response.setHeader('content-range', `bytes ${range.start}-${range.end}/${record.sizeBytes}`)
      response.writeHead(range ? 206 : 200, { 'content-length': length })
    }
    if (request.method === 'HEAD' || length === 0) {
      writeHead()
      response.end()
      return
    }
    const left = new AbortController()
    const leave = () => left.abort()
    response.once('close', leave)
    const unwatch = links.onEnd(terms, () => response.destroy())
    try {
      const content = await artifacts.open(record, range, left.signal)
      writeHead()
      await pipeline(content, response)
    } catch (error) {
      // The client has left; there is no one to respond to.
      if (left.signal.aborted || response.destroyed) return
      if (response.headersSent || !(error instanceof TabwireError)) throw error
      for (const name of response.getHeaderNames()) if (!KEPT_ON_REFUSAL.has(name)) response.removeHeader(name)
      if (error instanceof NotFound) return answerNotFound(response)
      answerJson(response, 503, { error: { code: error.code, message: error.message } })
    } finally {
      unwatch()
      response.off('close', leave)
    }
  }
}

const EXPOSED = 'accept-ranges, content-disposition, content-length, content-range, etag, last-modified'
const KEPT_ON_REFUSAL = new Set([
  'access-control-allow-origin',
  'access-control-expose-headers',
  'cross-origin-resource-policy',
  'referrer-policy',
  'x-content-type-options',
])

function answerPreflight(response: ServerResponse): void {
  response.writeHead(204, {
    'access-control-allow-methods': METHODS,
    'access-control-allow-headers': 'range, if-match, if-none-match, if-modified-since, if-range, cache-control',
    'access-control-max-age': '86400',
  })
  response.end()
}

function subjectOf(pathname: string): { id: string; name: string } | null {
  const parts = pathname.slice(ARTIFACTS_PATH.length).split('/')
  const id = parts.length === 2 ? uuidOf('Artifact', parts[0]!) : null
  if (!id) return null
  try {
    return { id, name: decodeURIComponent(parts[1]!) }
  } catch {
    return null
  }
}

/** Types that browsers display without running anything; all others are downloaded. */
const SHOWN = /^(image\/[\w.+-]+|video\/[\w.+-]+|application\/pdf)$/

const baseTypeOf = ({ contentType }: ArtifactRecord) => contentType.split(';')[0]!.trim().toLowerCase()

function dispositionOf(record: ArtifactRecord, save: boolean): string {
  return contentDisposition(record.name, { type: !save && SHOWN.test(baseTypeOf(record)) ? 'inline' : 'attachment' })
}

/** Whatever the file contains, as a document it may not run scripts or load anything, and has an opaque origin. */
const SEALED = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src 'self'; sandbox"
/** The built-in PDF viewer of browsers does not work in a sandbox; it runs the file's scripts in its own. */
const SEALED_PDF = "default-src 'none'; style-src 'unsafe-inline'; object-src 'self'"

function headersOf(record: ArtifactRecord, disposition: string): Record<string, string> {
  const isPdf = baseTypeOf(record) === 'application/pdf'
  return {
    'accept-ranges': 'bytes',
    // May be stored, but must be revalidated each time: the link may be revoked or the artifact deleted.
    'cache-control': 'private, no-cache',
    'content-disposition': disposition,
    'content-security-policy': isPdf ? SEALED_PDF : SEALED,
    'content-type': record.contentType,
    etag: `"${record.sha256}"`,
    'last-modified': new Date(record.createdAt).toUTCString(),
  }
}

/** Whether the client has the current version. Other directives of its headers are for caches. */
function isFresh({ headers }: IncomingMessage, response: ServerResponse): boolean {
  const { 'if-none-match': entity, 'if-modified-since': date } = headers
  return fresh(
    { 'if-none-match': entity, 'if-modified-since': date },
    { etag: response.getHeader('etag'), 'last-modified': response.getHeader('last-modified') },
  )
}

/** Whether the client's condition does not match this entity. */
function isOther({ headers: { 'if-match': wanted } }: IncomingMessage, response: ServerResponse): boolean {
  if (wanted === undefined || wanted.trim() === '*') return false
  return !wanted.split(',').some((entity) => entity.trim() === response.getHeader('etag'))
}

/** A single range. Multiple ranges are not supported, which the specification allows, and get the whole file. */
function rangeOf(
  request: IncomingMessage,
  response: ServerResponse,
  { sizeBytes }: ArtifactRecord,
): ByteRange | 'unsatisfiable' | null {
  const { range, 'if-range': condition } = request.headers
  if (range === undefined) return null
  const isCurrent =
    condition === undefined ||
    condition === response.getHeader('etag') ||
    condition === response.getHeader('last-modified')
  if (!isCurrent) return null
  // A suffix longer than the file means the whole file, which the parser reports as unsatisfiable.
  const within = range.replace(/^bytes=-(\d+)$/, (_, last: string) => `bytes=-${Math.min(Number(last), sizeBytes)}`)
  const parsed = parseRange(sizeBytes, within, { combine: true })
  if (parsed === -1) return 'unsatisfiable'
  return parsed === -2 || parsed.type !== 'bytes' || parsed.length !== 1 ? null : parsed[0]!
}
