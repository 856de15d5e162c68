import { setImmediate as nextTurn } from 'node:timers/promises'
import type { BodyOmission, EntryBodies } from '../../../../contract/entries/body.ts'
import { Deadline } from '../../../../async/deadline.ts'
import type { EventSink } from '../../../../ports/browser/browser.ts'
import type { CapturedBody, SavedBody } from '../../../../ports/log/body.ts'
import type { CaptureOptions } from '../../../../ports/browser/capture.ts'
import type { CdpConnection } from '../../cdp/connection/cdp-connection.ts'
import type { CdpResult } from '../../cdp/protocol/cdp-commands.ts'
import type { CdpEvents, CdpResponse } from '../../cdp/protocol/cdp-events.ts'
import { isTooLargeResult } from '../../cdp/pipe/oversized-message.ts'
import type { TargetRegistry } from '../../cdp/targets/target-registry.ts'
import { contentOf, plainContentOf, startOf } from './body-text.ts'
import { ByteBudget } from './byte-budget.ts'
import { contentLengthOf, headerOf, isTextual, isUnknown, mediaTypeOf, type MediaType } from './media-type.ts'
import type { Exchange, Outcome } from '../exchanges/network-exchange.ts'
import { SentBodies, type SentBody } from './sent-bodies.ts'

export interface BodyCapture extends Pick<CaptureOptions, 'bodies' | 'maxBodyBytes'> {
  /** How long an entry waits for its bodies; default: BODIES_MS. */
  waitMs?: number | undefined
}

/** A body, the reason why it is missing, or the fact that there was none. */
type Part = SavedBody | { body: null; omitted: null }

/** Bodies of an ended request: those available so far, while the rest is fetched. */
interface Collecting {
  request: Part
  response: Part
  readonly whenDone: Promise<void>
  /** Missing bodies count as late. */
  giveUp(): void
}

/** How long an entry waits for its bodies. */
const BODIES_MS = 1_000
/**
 * How much longer it waits for bodies that arrived in time but were not read yet, because the server itself is slow.
 */
const READ_MS = 250
/**
 * How long an ended request waits for the length of what it has sent: the network process reports it by itself, and it
 * may come after the response.
 */
const SIZE_MS = 500
/** Bytes of bodies that are fetched and stored concurrently for one session; more have to wait. */
const MAX_BYTES_AT_ONCE = 16 * 1024 * 1024
const MAX_AT_ONCE = 64
/** Most entries of one session that wait for their bodies. */
const MAX_WAITING = 2_000
/**
 * Bytes of the newest bodies that the browser keeps even if their page is gone. Each body is fetched as soon as it is
 * complete, so this has to suffice for those that arrive while the server is busy.
 */
const BROWSER_BYTES = 32 * 1024 * 1024
/** Milliseconds of server time for fetching and storing a body, in addition to its entry (see ENTRY_MS). */
const BODY_MS = 0.1
const MEBIBYTE_MS = 15
const MEBIBYTE = 1024 * 1024

const CAPTURED_TYPES: ReadonlySet<string> = new Set(['XHR', 'FETCH', 'DOCUMENT'])
/** Targets whose Network domain Playwright enables, too: enabling it again has no effect. */
const SOURCES: ReadonlySet<string> = new Set(['page', 'iframe', 'worker', 'shared_worker', 'service_worker'])
const NO_BODY: Part = { body: null, omitted: null }
const omitted = (why: BodyOmission): Part => ({ body: null, omitted: why })
const NOT_CAPTURED = omitted('NOT_CAPTURED')
const TOO_LARGE = omitted('TOO_LARGE')
const STREAMING = omitted('STREAMING')
const OPAQUE = omitted('OPAQUE')
const LATE = omitted('LATE')

/**
 * Fetches bodies from the browser: those that are wanted, and known to be small enough before they are requested. The
 * browser keeps them apart from the page ("durable messages"), so that they are available after the page was left at
 * once (measured: it had lost 101 of 137, this way none), and while it shows a dialog or is unresponsive. It returns
 * them on the session of any page if their own is gone. They are enabled by options of `Network.enable`, which is the
 * older way: after `Network.configureDurableMessages` the page itself keeps nothing (measured), and responses made by a
 * service worker are lost.
 */
export class BodyRecorder {
  readonly #connection: CdpConnection
  readonly #targets: TargetRegistry
  readonly #saveBody: EventSink['saveBody']
  readonly #capture: BodyCapture
  readonly #sent: SentBodies
  readonly #atOnce = new ByteBudget(MAX_BYTES_AT_ONCE, MAX_AT_ONCE)
  readonly #collecting = new Set<Collecting>()

  constructor(
    connection: CdpConnection,
    targets: TargetRegistry,
    saveBody: EventSink['saveBody'],
    capture: BodyCapture,
  ) {
    this.#connection = connection
    this.#targets = targets
    this.#saveBody = saveBody
    this.#capture = capture
    this.#sent = new SentBodies(capture.maxBodyBytes, (chainId, sessionId) => this.#askSent(chainId, sessionId))
    if (capture.bodies === 'NONE') return
    connection.on('Network.requestWillBeSentExtraInfo', ({ requestId, headers }) =>
      this.#sent.received(requestId, headers),
    )
    const maxTotalBufferSize = Math.max(BROWSER_BYTES, 2 * capture.maxBodyBytes)
    const durable = { maxTotalBufferSize, maxResourceBufferSize: maxTotalBufferSize, enableDurableMessages: true }
    targets.prepareSessions((sessionId, type) => {
      if (SOURCES.has(type)) connection.notify('Network.enable', durable, sessionId)
    })
  }

  /** A request, or its next hop, has begun. */
  begun(chainId: string, exchange: Exchange, request: CdpEvents['Network.requestWillBeSent']['request']): void {
    if (this.#capture.bodies === 'NONE' || exchange.bodyBytes === 0) return
    // For other types, too, the body is captured if the response is an error.
    if (!this.#mayWant(sentTypeOf(exchange))) return
    const askOn = this.#wants(exchange, sentTypeOf(exchange)) ? exchange.session.sessionId : null
    this.#sent.begin(chainId, request, askOn)
  }

  /**
   * The bodies of an ended request: at once if none has to be fetched, otherwise within BODIES_MS. `continues`: whether
   * another request with the same id follows, whose body the browser would return: the next HOP, or the SAME request
   * again.
   */
  collect(
    chainId: string,
    exchange: Exchange,
    outcome: Outcome,
    continues: 'HOP' | 'SAME' | null = null,
  ): EntryBodies | Promise<EntryBodies> {
    const sent = this.#sent.take(chainId, continues === 'SAME')
    const request = this.#requestPart(exchange, sent)
    const response = continues === null ? this.#responsePart(exchange, outcome) : this.#hopPart(exchange)
    if (request && response) return bodiesOf(request, response)
    if (this.#collecting.size >= MAX_WAITING) return bodiesOf(request ?? LATE, response ?? LATE)
    return this.#inTime(request, response, (late) => [
      request ? null : this.#fetchRequest(chainId, exchange, sent!, late),
      response ? null : this.#fetchResponse(chainId, exchange, late),
    ])
  }

  /** Resolves when all bodies were fetched, or at the deadline; bodies missing then are late. */
  async finish(deadlineMs: number): Promise<void> {
    if (this.#collecting.size === 0) return
    await Deadline.isMet(Promise.all([...this.#collecting].map(({ whenDone }) => whenDone)), deadlineMs)
    this.giveUp()
  }

  /** Bodies that are missing by now are late. */
  giveUp(): void {
    for (const collecting of this.#collecting) collecting.giveUp()
  }

  async #inTime(
    request: Part | null,
    response: Part | null,
    fetch: (late: AbortSignal) => [Promise<Part> | null, Promise<Part> | null],
  ): Promise<EntryBodies> {
    const late = new AbortController()
    const { promise: whenDone, resolve } = Promise.withResolvers<void>()
    const collecting: Collecting = { request: request ?? LATE, response: response ?? LATE, whenDone, giveUp: resolve }
    this.#collecting.add(collecting)
    const timer = setTimeout(() => void this.#expired().then(resolve), this.#capture.waitMs ?? BODIES_MS)
    const [sending, receiving] = fetch(late.signal)
    void Promise.all([
      sending?.then((part) => (collecting.request = part)),
      receiving?.then((part) => (collecting.response = part)),
    ]).then(() => resolve())
    await whenDone
    clearTimeout(timer)
    late.abort()
    this.#collecting.delete(collecting)
    return bodiesOf(collecting.request, collecting.response)
  }

  /** If the server itself was suspended, the timeout fires before it has read bodies that arrived in time. */
  async #expired(): Promise<void> {
    await nextTurn()
    if (this.#connection.hasUnread) await Deadline.isMet(this.#connection.caughtUp(), READ_MS)
    await nextTurn()
  }

  /** Null: it has to be fetched. */
  #requestPart(exchange: Exchange, sent: SentBody | undefined): Part | null {
    if (exchange.bodyBytes === 0) return NO_BODY
    if (!this.#wants(exchange, sentTypeOf(exchange))) return NOT_CAPTURED
    if (!sent) return LATE
    if (sent.bytes !== null || sent.asked !== null) return null
    // Only the page that sent it has the body, and its size is unknown, or still on the way.
    if (sent.sizeBytes === null) return exchange.extraIndex === null ? OPAQUE : null
    return sent.sizeBytes > this.#capture.maxBodyBytes ? TOO_LARGE : null
  }

  #fetchRequest(chainId: string, exchange: Exchange, sent: SentBody, late: AbortSignal): Promise<Part> {
    const type = sentTypeOf(exchange)
    return this.#inTurn(sent.sizeBytes ?? 0, late, async () => {
      if (sent.bytes === null && sent.sizeBytes === null) {
        await this.#sent.whenSized(chainId, sent, SIZE_MS, late)
        if (sent.sizeBytes === null) return OPAQUE
        if (sent.sizeBytes > this.#capture.maxBodyBytes) return TOO_LARGE
      }
      const asked = () => sent.asked ?? this.#askSent(chainId, exchange.session.sessionId)
      const reported = sent.bytes ?? (await asked())
      if (reported === null) return OPAQUE
      // For files on the disk the browser returns only names.
      const sizeBytes = Math.max(reported.length, sent.sizeBytes ?? 0)
      const { bytes, isText } = plainContentOf(reported, reported.length < sizeBytes)
      const contentType = headerOf(exchange.requestHeaders, 'content-type')
      return this.#save({ direction: 'REQUEST', bytes, contentType, sizeBytes, isText }, type, late)
    })
  }

  async #askSent(requestId: string, sessionId: string): Promise<Uint8Array | null> {
    try {
      const { postData, base64Encoded } = await this.#connection.send(
        'Network.getRequestPostData',
        { requestId },
        sessionId,
      )
      return Buffer.from(postData, base64Encoded ? 'base64' : 'utf8')
    } catch {
      return null
    }
  }

  /** Null: it has to be fetched. */
  #responsePart(exchange: Exchange, outcome: Outcome): Part | null {
    const { response, decodedBytes, resourceType } = exchange
    if (!response || lacksBody(exchange)) return NO_BODY
    if (this.#capture.bodies === 'NONE') return NOT_CAPTURED
    if (resourceType === 'EVENTSOURCE') return STREAMING
    if (!this.#wants(exchange, receivedTypeOf(response))) return NOT_CAPTURED
    if (outcome.endTimestamp === null) return STREAMING
    const size = decodedBytes || (contentLengthOf(response.headers) ?? 0)
    return size > this.#capture.maxBodyBytes ? TOO_LARGE : null
  }

  /**
   * The response before the next request of the chain: that of a redirect has no body, a request for credentials has
   * one.
   */
  #hopPart({ response }: Exchange): Part {
    if (response && response.status >= 300 && response.status < 400) return NO_BODY
    return this.#capture.bodies === 'NONE' ? NOT_CAPTURED : OPAQUE
  }

  #fetchResponse(chainId: string, exchange: Exchange, late: AbortSignal): Promise<Part> {
    const { maxBodyBytes } = this.#capture
    return this.#inTurn(exchange.decodedBytes || maxBodyBytes, late, async () => {
      const answer = await this.#askReceived(chainId, exchange.session.sessionId)
      if (typeof answer === 'string') return omitted(answer)
      const { response } = exchange
      const type = receivedTypeOf(response!)
      const content = contentOf(answer.body, answer.base64Encoded, type)
      const sizeBytes = content.bytes.length
      if (sizeBytes === 0) return NO_BODY
      const contentType = headerOf(response!.headers, 'content-type')
      const { isText } = content
      const bytes = startOf(content, maxBodyBytes)
      return this.#save({ direction: 'RESPONSE', bytes, contentType, sizeBytes, isText }, type, late)
    })
  }

  /** Uses another session if its own is gone: that of a worker that has ended, or of a window that has closed. */
  async #askReceived(requestId: string, own: string): Promise<CdpResult<'Network.getResponseBody'> | BodyOmission> {
    const here = [own, ...this.#targets.pageSessionIds()]
    let why: BodyOmission = 'OPAQUE'
    for (const sessionId of here) {
      if (!this.#targets.source(sessionId)) continue
      try {
        return await this.#connection.send('Network.getResponseBody', { requestId }, sessionId)
      } catch (error) {
        if (isTooLargeResult(error)) why = 'TOO_LARGE'
        if (this.#targets.source(sessionId)) break
      }
    }
    return why
  }

  async #save(body: CapturedBody, type: MediaType, late: AbortSignal): Promise<Part> {
    if (this.#capture.bodies === 'TEXT' && !body.isText && !isTextual(type)) return NOT_CAPTURED
    if (late.aborted) return LATE
    this.#connection.charge(BODY_MS + (body.bytes.length / MEBIBYTE) * MEBIBYTE_MS)
    return this.#saveBody(body)
  }

  async #inTurn(bytes: number, late: AbortSignal, work: () => Promise<Part>): Promise<Part> {
    try {
      return await this.#atOnce.run(bytes, late, work)
    } catch (error) {
      if (late.aborted) return LATE
      throw error
    }
  }

  #wants({ resourceType, response }: Exchange, type: MediaType): boolean {
    const isFailed = response !== null && response.status >= 400
    return this.#mayWant(type) && (this.#capture.bodies === 'ALL' || isFailed || CAPTURED_TYPES.has(resourceType))
  }

  #mayWant(type: MediaType): boolean {
    const { bodies } = this.#capture
    return bodies === 'ALL' || (bodies === 'TEXT' && (isTextual(type) || isUnknown(type)))
  }
}

const sentTypeOf = ({ requestHeaders }: Exchange) => mediaTypeOf(headerOf(requestHeaders, 'content-type'))

const receivedTypeOf = ({ headers, mimeType }: CdpResponse) => mediaTypeOf(headerOf(headers, 'content-type'), mimeType)

/** Whether a response has no body, according to HTTP. */
function lacksBody({ method, resourceType, response, decodedBytes }: Exchange): boolean {
  const { status, headers } = response!
  if (method === 'HEAD' || status < 200 || status === 204 || status === 205 || status === 304) return true
  const isPreflight = method === 'OPTIONS' && resourceType === 'OTHER'
  return isPreflight || (decodedBytes === 0 && contentLengthOf(headers) === 0)
}

const bodiesOf = (request: Part, response: Part): EntryBodies => ({
  requestBody: request.body,
  requestBodyOmitted: request.omitted,
  responseBody: response.body,
  responseBodyOmitted: response.omitted,
})
