import type { Log, Page } from 'har-format'
import { SESSION_EVENT_KINDS, type EntryData, type LogEntry, type SessionEventKind } from '../../ports/log/log-entry.ts'
import type { StoredRequest } from '../../ports/store/store.ts'
import { readSpan, type LogSpan, type SpanStore } from '../log/reading/log-span.ts'
import { textsOfRequest, type BodyTexts, type RequestTexts } from '../../contract/entries/request-texts.ts'
import { HarRequests, type ReadBodies } from './har-request.ts'
import { BETWEEN, HarWebSockets, type SocketMessages } from './har-web-sockets.ts'
import { HeldMessages } from './held-messages.ts'
import { inPieces, PIECE_LENGTH } from './text-pieces.ts'
import { textOfBody, type ReadBody } from './stored-bodies.ts'

export interface HarSource {
  store: SpanStore
  readBody: ReadBody
}

/** Version of the format, and of our output. */
const HEAD: Omit<Log, 'entries'> = { version: '1.2', creator: { name: 'Tabwire', version: '1' } }

/** Kinds of entries that a HAR is made from, in addition to those about pages. */
const TRAFFIC = ['NETWORK_REQUEST', 'EVENT_SOURCE_MESSAGES']
const SOCKETS = ['WEB_SOCKET_OPENED', 'WEB_SOCKET_MESSAGES', 'WEB_SOCKET_CLOSED']
const PAGES = ['PAGE_OPENED', 'NAVIGATION']

/** A session may open any number of popups, and each one is held until the end. */
const MAX_PAGES = 10_000
const CUT = 'Cut: there was no time for all of the log. exportLog has it.'

/** Messages of server-sent events, as stored in the log. */
interface StreamMessages {
  requestId: number
  messages: readonly { at: number; eventName: string; eventId: string; data: string }[]
}

interface HarOptions {
  /** Checked between entries: once true, the archive is closed as well-formed JSON and marked as cut. */
  isTimeUp?: (() => boolean) | undefined
  /** False if more of the log follows this part; the archive states it. */
  isWhole?: boolean
}

interface HarPage {
  startedAt: number
  url: string
}

/**
 * The requests and WebSockets in a part of a log as HTTP Archive 1.2, as read by DevTools and Playwright. It holds
 * one step of the log, the bodies of one request, the messages of open sockets up to a bound, and the pages.
 */
export class Har {
  readonly #source: HarSource
  readonly #span: LogSpan
  readonly #isTimeUp: () => boolean
  readonly #isWhole: boolean
  readonly #pages = new Map<string, HarPage>()
  readonly #streams = new HeldMessages()
  readonly #requests = new HarRequests()
  #isFirst = true
  #isCut = false

  constructor(source: HarSource, span: LogSpan, { isTimeUp = () => false, isWhole = true }: HarOptions = {}) {
    this.#source = source
    this.#span = span
    this.#isTimeUp = isTimeUp
    this.#isWhole = isWhole
  }

  /** The text in pieces. Rejects as Store.readEntries does. */
  async *pieces(signal: AbortSignal): AsyncGenerator<string> {
    yield `{"log":${JSON.stringify(HEAD).slice(0, -1)},"entries":[`
    yield* inPieces(this.#entries(signal))
    const comment = this.#isCut || !this.#isWhole ? { comment: CUT } : {}
    // After the entries, since they contribute pages.
    yield `\n],${JSON.stringify({ pages: [...this.#pages].map(pageOf), ...comment }).slice(1)}}\n`
  }

  async *#entries(signal: AbortSignal): AsyncGenerator<string> {
    const { kinds, network } = this.#span.filter
    const wanted = [...TRAFFIC, ...SOCKETS].filter((kind) => kinds?.includes(kind as SessionEventKind) ?? true)
    const archive = {
      separator: () => this.#separator(),
      hasPage: (pageId: string, at: number) => this.#page(pageId, at, ''),
    }
    let sockets = new HarWebSockets(network ?? {}, null, archive)
    yield* this.#pass([...wanted, ...PAGES], sockets, signal)
    while (sockets.left.length > 0 && !this.#isCut) {
      sockets = new HarWebSockets(network ?? {}, sockets.left, archive)
      yield* this.#pass(SOCKETS, sockets, signal)
    }
  }

  async *#pass(kinds: readonly string[], sockets: HarWebSockets, signal: AbortSignal): AsyncGenerator<string> {
    // Kinds that this version knows.
    const known = SESSION_EVENT_KINDS.filter((kind) => kinds.includes(kind))
    const span = { ...this.#span, filter: { kinds: known, network: this.#span.filter.network ?? null } }
    let texts = ''
    for await (const entries of readSpan(this.#source.store, span, signal, { withTexts: true })) {
      for (const entry of entries) {
        this.#isCut ||= this.#isTimeUp()
        if (this.#isCut) return yield texts + sockets.rest()
        // Most texts are ready at once.
        const text = this.#textOf(entry, sockets, signal)
        texts += typeof text === 'string' ? text : await text
        if (texts.length < PIECE_LENGTH) continue
        yield texts
        texts = ''
      }
    }
    yield texts + sockets.rest()
  }

  #textOf(entry: LogEntry, sockets: HarWebSockets, signal: AbortSignal): string | Promise<string> {
    // By name: messages are of kinds that older entry versions do not have.
    const { kind, at } = entry as { kind: string; at: number }
    if (kind === 'NETWORK_REQUEST') return this.#request(entry as LogEntry<'NETWORK_REQUEST'> | StoredRequest, signal)
    const { data } = entry as { data: unknown }
    switch (kind) {
      case 'EVENT_SOURCE_MESSAGES':
        return this.#streamed(data as StreamMessages)
      case 'WEB_SOCKET_OPENED':
        return sockets.opened(at, data as EntryData['WEB_SOCKET_OPENED'])
      case 'WEB_SOCKET_MESSAGES':
        return sockets.messages(data as SocketMessages)
      case 'WEB_SOCKET_CLOSED':
        return sockets.closed(at, data as EntryData['WEB_SOCKET_CLOSED'])
      case 'PAGE_OPENED':
      case 'NAVIGATION': {
        const { pageId, url } = data as EntryData['PAGE_OPENED']
        this.#page(pageId, at, url)
        return ''
      }
      default:
        return ''
    }
  }

  #request(entry: LogEntry<'NETWORK_REQUEST'> | StoredRequest, signal: AbortSignal): string | Promise<string> {
    if ('texts' in entry) {
      const { texts } = entry
      return this.#requestWith(texts, { request: inlineOf(texts.requestBody), response: inlineOf(texts.responseBody) })
    }
    const { data: request } = entry
    const textOf = (body: typeof request.requestBody) =>
      body && textOfBody(body, this.#span.owner, this.#source.readBody, signal)
    const sent = textOf(request.requestBody)
    const received = textOf(request.responseBody)
    const write = (sentText: string | null, receivedText: string | null) =>
      this.#requestWith(textsOfRequest(request), { request: jsonOf(sentText), response: jsonOf(receivedText) })
    if (!(sent instanceof Promise) && !(received instanceof Promise)) return write(sent, received)
    return Promise.all([sent, received]).then((texts) => write(...texts))
  }

  #requestWith(request: RequestTexts, bodies: ReadBodies): string {
    const { requestId, startedAt } = request
    const pageId = JSON.parse(request.pageId) as string | null
    const hasPage = pageId !== null && this.#page(pageId, startedAt, '')
    const text = this.#separator() + this.#requests.textOf(request, hasPage, bodies)
    const messages = this.#streams.take(requestId)
    if (messages === null) return `${text.slice(0, -1)},"comment":"Its messages are left out: there are too many."}`
    return messages.length === 0 ? text : `${text.slice(0, -1)},"_eventSourceMessages":[${messages.join(',')}]}`
  }

  #streamed({ requestId, messages }: StreamMessages): string {
    this.#streams.add(
      requestId,
      messages.map(({ at, eventName, eventId, data }) => JSON.stringify({ time: at / 1000, eventName, eventId, data })),
    )
    return ''
  }

  /** False if there is no room for another page. */
  #page(pageId: string, at: number, url: string): boolean {
    const page = this.#pages.get(pageId)
    if (!page) {
      if (this.#pages.size >= MAX_PAGES) return false
      this.#pages.set(pageId, { startedAt: at, url })
      return true
    }
    page.startedAt = Math.min(page.startedAt, at)
    // The URL of its first document, not of the blank page before it.
    if (page.url === '' || page.url === 'about:blank') page.url = url
    return true
  }

  #separator(): string {
    const separator = this.#isFirst ? '\n' : BETWEEN
    this.#isFirst = false
    return separator
  }
}

const inlineOf = (body: BodyTexts | null) => body && body.inline
const jsonOf = (text: string | null) => (text === null ? null : JSON.stringify(text))

const pageOf = ([id, { startedAt, url }]: [string, HarPage]): Page => ({
  startedDateTime: new Date(startedAt).toISOString(),
  id,
  title: url,
  // The log does not have them.
  pageTimings: { onContentLoad: -1, onLoad: -1 },
})
