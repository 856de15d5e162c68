import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { create as contentDisposition } from 'content-disposition'
import type { Logger } from 'pino'
import { uuidOf } from '../../contract/global-id.ts'
import { fileNameOf } from '../../domain/artifacts/file-name.ts'
import { CursorInvalid } from '../../domain/kernel/cursor.ts'
import { NotFound } from '../../domain/kernel/errors.ts'
import type { ExportFormat, ExportSubject, LogExports, OpenExport } from '../../domain/links/log-exports.ts'
import type { LinkTerms } from '../../domain/links/signed-links.ts'
import { EXPORTS_PATH } from '../../http-paths.ts'
import { TooManyConnections, type Connections } from '../base/connections.ts'
import { answerJson, answerNotFound } from '../base/json-response.ts'
import { answerLinkInvalid, linkQueryOf } from './signed-link-responses.ts'

const METHODS = 'GET, HEAD, OPTIONS'

/** Each export holds a step of a log in memory, and reads from the store as fast as its client. */
const MAX_AT_ONCE = 8
/** A client that reads nothing for this long is disconnected, and may resume. */
const STALL_MS = 120_000

const CONTENT_TYPES: Record<ExportFormat, string> = { HAR: 'application/json', NDJSON: 'application/x-ndjson' }
const FORMATS: Readonly<Record<string, ExportFormat>> = { har: 'HAR', ndjson: 'NDJSON' }
/** The cursor at which the export ends, for clients that resume after it. */
const CURSOR_HEADER = 'tabwire-cursor'

/** Serves log exports to holders of a signed link: GET and HEAD /exports/<session id>.<har|ndjson>?filter=… */
export function createLogExports(exports: LogExports, connections: Connections, logger: Logger) {
  /** By owner. */
  const open = new Map<string, number>()

  const count = (owner: string, by: 1 | -1): void => {
    const number = (open.get(owner) ?? 0) + by
    if (number > MAX_AT_ONCE) {
      throw new TooManyConnections(`The owner has ${MAX_AT_ONCE} exports open at once, which is the limit.`)
    }
    if (number > 0) open.set(owner, number)
    else open.delete(owner)
  }

  return async (request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> => {
    // The link is the authorization, so any site may read the response.
    response.setHeader('access-control-allow-origin', '*')
    response.setHeader('access-control-expose-headers', `content-disposition, ${CURSOR_HEADER}`)
    response.setHeader('cross-origin-resource-policy', 'cross-origin')
    response.setHeader('cache-control', 'no-store')
    if (request.method === 'OPTIONS') return answerPreflight(response)
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', METHODS)
      return answerJson(response, 405, { error: { code: 'METHOD_NOT_ALLOWED', message: `Use ${METHODS}.` } })
    }
    const subject = subjectOf(url)
    const terms = subject && (await exports.read(subject, linkQueryOf(url)))
    if (!terms) return answerLinkInvalid(response)
    try {
      const after = subject.format === 'NDJSON' ? url.searchParams.get('after') : null
      const found = await exports.open(subject, after)
      const { owner } = found.session
      connections.of(request.socket).admit(owner, 'link')
      writeHeaders(response, subject, found)
      if (request.method === 'HEAD') return void response.writeHead(200).end()
      count(owner, 1)
      try {
        await send(request, response, found, terms)
      } finally {
        count(owner, -1)
      }
    } catch (error) {
      if (error instanceof NotFound) return answerNotFound(response)
      if (!(error instanceof CursorInvalid)) throw error
      answerJson(response, 400, { error: { code: error.code, message: error.message } })
    }
  }

  async function send(
    request: IncomingMessage,
    response: ServerResponse,
    found: OpenExport,
    terms: LinkTerms,
  ): Promise<void> {
    const left = new AbortController()
    const leave = () => left.abort()
    response.once('close', leave)
    response.setTimeout(STALL_MS, () => response.destroy())
    const unwatch = exports.onEnd(terms, () => response.destroy())
    try {
      const content = Readable.from(found.pieces(left.signal), { objectMode: false })
      // The first chunk is read before the headers are sent: errors up to then still get a status code.
      await firstOf(content)
      if (acceptsGzip(request)) {
        response.setHeader('content-encoding', 'gzip')
        // The lowest compression level takes a third of the time of the default.
        await pipeline(content, createGzip({ level: 1 }), response)
      } else {
        await pipeline(content, response)
      }
    } catch (error) {
      // The client has left; there is no one to respond to.
      if (left.signal.aborted || response.destroyed) return
      if (response.headersSent) logger.warn({ err: error }, 'an export was aborted')
      else for (const name of OF_CONTENT) response.removeHeader(name)
      throw error
    } finally {
      unwatch()
      response.off('close', leave)
    }
  }
}

const OF_CONTENT = ['content-disposition', 'content-encoding', CURSOR_HEADER]

/** Resolves when there is data or the end; rejects if reading fails. */
function firstOf(content: Readable): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const done = () => resolve()
  content.once('readable', done)
  content.once('error', reject)
  return promise.finally(() => {
    content.off('readable', done)
    content.off('error', reject)
  })
}

function writeHeaders(response: ServerResponse, { format }: ExportSubject, { session, cursor }: OpenExport): void {
  const name = fileNameOf(`${(session.name ?? session.id).replaceAll(/[/\\]/g, '-')}.${format.toLowerCase()}`)
  response.setHeader('content-type', `${CONTENT_TYPES[format]}; charset=utf-8`)
  response.setHeader('content-disposition', contentDisposition(name, { type: 'attachment' }))
  response.setHeader(CURSOR_HEADER, cursor)
  response.setHeader('vary', 'accept-encoding')
}

/** Of the weights in `accept-encoding`, only q=0 matters here. */
function acceptsGzip({ headers }: IncomingMessage): boolean {
  const offers = headers['accept-encoding']?.split(',') ?? []
  return offers.some((offer) => /^\s*(gzip|x-gzip|\*)\s*(;\s*q=(?!0(\.0*)?\s*$).*)?$/i.test(offer))
}

function answerPreflight(response: ServerResponse): void {
  response.writeHead(204, { 'access-control-allow-methods': METHODS, 'access-control-max-age': '86400' })
  response.end()
}

function subjectOf({ pathname, searchParams }: URL): ExportSubject | null {
  const [id = '', extension = '', ...rest] = pathname.slice(EXPORTS_PATH.length).split('.')
  const sessionId = uuidOf('Session', id)
  const format = Object.hasOwn(FORMATS, extension) ? FORMATS[extension] : undefined
  const filter = searchParams.get('filter')
  if (!sessionId || !format || filter === null || rest.length > 0) return null
  return { sessionId, format, filter }
}
