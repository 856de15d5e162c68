import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { create as contentDisposition } from 'content-disposition'
import { decodeGlobalId } from '../../contract/global-id.ts'
import { fileNameOf, isContentType } from '../../domain/artifacts/file-name.ts'
import {
  BODY_DIRECTIONS,
  type BodyDirection,
  type LinkedBodies,
  type LinkedBody,
} from '../../domain/bodies/linked-bodies.ts'
import type { SignedLinks } from '../../domain/links/signed-links.ts'
import type { Delivery, DeliveryBudget } from '../../domain/log/reading/delivery.ts'
import { BODIES_PATH } from '../../http-paths.ts'
import type { Connections } from '../base/connections.ts'
import { answerJson, answerNotFound } from '../base/json-response.ts'
import { answerLinkInvalid, linkQueryOf } from './signed-link-responses.ts'

const METHODS = 'GET, HEAD, OPTIONS'

/** A client that takes a piece is not one that takes nothing. */
const PIECE_BYTES = 256 * 1024

/** Always downloaded; a browser that displays it all the same runs and loads nothing, with an opaque origin. */
const SEALED = "default-src 'none'; sandbox"

/**
 * Serves bodies to holders of a signed link: GET and HEAD /bodies/<id of the request>/<request or response>?expires=…
 */
export function createBodyDownloads(
  bodies: LinkedBodies,
  links: SignedLinks,
  connections: Connections,
  deliveries: DeliveryBudget,
) {
  return async (request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> => {
    // The link is the authorization, so any site may read the response.
    response.setHeader('access-control-allow-origin', '*')
    response.setHeader('access-control-expose-headers', 'content-disposition, content-length')
    response.setHeader('cross-origin-resource-policy', 'cross-origin')
    response.setHeader('cache-control', 'private, no-cache')
    if (request.method === 'OPTIONS') {
      response.writeHead(204, { 'access-control-allow-methods': METHODS, 'access-control-max-age': '86400' }).end()
      return
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', METHODS)
      return answerJson(response, 405, { error: { code: 'METHOD_NOT_ALLOWED', message: `Use ${METHODS}.` } })
    }
    const subject = subjectOf(url.pathname)
    const signed = subject && [subject.sessionId, String(subject.requestId), subject.direction]
    const terms = signed && (await links.read('body', signed, linkQueryOf(url)))
    if (!terms) return answerLinkInvalid(response)
    const found = await bodies.find(subject.sessionId, subject.requestId, subject.direction)
    if (!found) return answerNotFound(response)
    connections.of(request.socket).admit(found.owner, 'link')
    // It would not be told that the client has left.
    if (response.destroyed) return

    const left = new AbortController()
    const unwatch = links.onEnd(terms, () => response.destroy())
    // All of it is in memory until the client has read it.
    const delivery = deliveries.open(`link ${found.owner}`, () => response.destroy())
    response.once('close', () => {
      left.abort()
      unwatch()
      delivery.close()
    })
    const read = async () => {
      await delivery.reserve(found.data.sizeBytes - found.data.truncated, left.signal)
      return bodies.bytesOf(found, left.signal)
    }
    const bytes = await read().catch((error: unknown) => {
      if (left.signal.aborted) return null
      throw error
    })
    if (response.destroyed) return
    if (!bytes) return answerNotFound(response)
    const { contentType } = found.data
    response.writeHead(200, {
      'content-type': contentType !== null && isContentType(contentType) ? contentType : 'application/octet-stream',
      'content-disposition': contentDisposition(nameOf(found, subject.direction), { type: 'attachment' }),
      'content-security-policy': SEALED,
      'content-length': bytes.length,
    })
    if (request.method === 'HEAD') return void response.end()
    await pipeline(Readable.from(piecesOf(bytes, delivery)), response).catch((error: unknown) => {
      if (!response.destroyed) throw error
    })
  }
}

function* piecesOf(bytes: Buffer, delivery: Delivery): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    delivery.moved()
    yield bytes.subarray(at, at + PIECE_BYTES)
  }
}

function subjectOf(pathname: string): { sessionId: string; requestId: number; direction: BodyDirection } | null {
  const parts = pathname.slice(BODIES_PATH.length).split('/')
  const id = parts.length === 2 ? decodeGlobalId(parts[0]!) : null
  const direction = BODY_DIRECTIONS.find((one) => one === parts[1])
  if (id?.typename !== 'NetworkRequest' || id.number === null || !direction) return null
  return { sessionId: id.uuid, requestId: id.number, direction }
}

/** The file name in the URL, if there is one. */
function nameOf({ url }: LinkedBody, direction: BodyDirection): string {
  const path = URL.parse(url)?.pathname ?? ''
  const name = path.endsWith('/') ? '' : fileNameOf(path)
  return name === '' || name === 'file' ? direction : `${direction}-${name}`
}
