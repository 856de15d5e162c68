import type { Entry } from 'har-format'
import type { EntryData, NetworkFilter } from '../../ports/log/log-entry.ts'
import { matchesFilter } from '../log/entries/entry-filter.ts'
import { sentCookies, setCookies } from './har-cookies.ts'
import { headersOf } from './har-headers.ts'
import { queryOf, UNKNOWN, type HarRequest } from './har-request.ts'
import { HeldMessages, MAX_HELD } from './held-messages.ts'

/** A WebSocket message as stored in log entries. */
interface LoggedMessage {
  at: number
  direction: string
  opcode: string
  text: string | null
  base64: string | null
}

interface Handshake {
  status: number | null
  requestHeaders: Record<string, string>
  responseHeaders: Record<string, string> | null
}

type Named = Pick<EntryData['WEB_SOCKET_OPENED'], 'webSocketId' | 'url' | 'pageId'>
type Opened = Named & Partial<Handshake>
type Closed = Opened & {
  error: string | null
  omittedSent?: number | null
  omittedReceived?: number | null
}
export type SocketMessages = Named & { messages: readonly LoggedMessage[] }

/** Facts that the log has about one WebSocket. */
interface Socket extends Handshake {
  url: string
  pageId: string | null
  openedAt: number
  /** Null if it was still open at the end of the export. */
  closedAt: number | null
  error: string | null
  /** Messages that were counted but not stored. */
  omitted: number
}

/** The archive that the entries are written to. */
interface Archive {
  /** Text to write before an entry. */
  separator(): string
  /** Whether the archive contains the page, which was open at that time. */
  hasPage(pageId: string, at: number): boolean
}

const SWITCHING_PROTOCOLS = 101

/**
 * Makes HAR entries of the WebSockets in a log. Opening, messages and closing are separate log entries, so messages
 * are held until the closing, up to a bound. Sockets beyond the bound are left to another pass over the log, which
 * streams the first of them regardless of its number of messages. Each call returns the text of entries, or '' for
 * none.
 */
export class HarWebSockets {
  readonly #filter: NetworkFilter
  readonly #only: ReadonlySet<number> | null
  readonly #streamed: number | null
  readonly #archive: Archive
  readonly #sockets = new Map<number, Socket>()
  readonly #held = new HeldMessages()
  /** Entries of other sockets, held while one is streamed. */
  #waiting = ''
  #isStreaming = false
  /** Sockets whose messages did not fit. */
  readonly left: number[] = []

  /** `only`: null for all sockets in the log, otherwise these, of which the first is streamed. */
  constructor(filter: NetworkFilter, only: readonly number[] | null, archive: Archive) {
    this.#filter = filter
    this.#only = only && new Set(only)
    this.#streamed = only?.[0] ?? null
    this.#archive = archive
  }

  opened(at: number, opened: Opened): string {
    const { webSocketId } = opened
    if (this.#only && !this.#only.has(webSocketId)) return ''
    this.#sockets.set(webSocketId, this.#socketOf(at, opened))
    return ''
  }

  messages({ messages, ...of }: SocketMessages): string {
    const { webSocketId } = of
    if (messages.length === 0 || (this.#only && !this.#only.has(webSocketId))) return ''
    // Its opening may be among the dropped entries.
    if (!this.#sockets.has(webSocketId)) {
      this.#sockets.set(webSocketId, this.#socketOf(messages[0]!.at, of))
    }
    const texts = messages.map(harMessage)
    if (webSocketId === this.#streamed) return this.#stream(texts)
    this.#held.add(webSocketId, texts)
    return ''
  }

  closed(at: number, closed: Closed): string {
    const { webSocketId, error, status, omittedSent, omittedReceived } = closed
    if (this.#only && !this.#only.has(webSocketId)) return ''
    const socket = this.#sockets.get(webSocketId) ?? this.#socketOf(at, closed)
    socket.closedAt = at
    socket.error = error
    socket.status ??= status ?? null
    socket.omitted = (omittedSent ?? 0) + (omittedReceived ?? 0)
    this.#sockets.delete(webSocketId)
    return this.#end(webSocketId, socket)
  }

  /** Sockets that are still open at the end of the log. */
  rest(): string {
    let text = ''
    // The streamed one first: the others are written after it.
    const isStreamed = (id: number) => Number(id === this.#streamed)
    const open = [...this.#sockets].toSorted(([one], [other]) => isStreamed(other) - isStreamed(one))
    for (const [webSocketId, socket] of open) text += this.#end(webSocketId, socket)
    this.#sockets.clear()
    return text + this.#take()
  }

  #end(webSocketId: number, socket: Socket): string {
    if (webSocketId === this.#streamed) return this.#stream([]) + this.#tail(socket) + this.#take()
    const messages = this.#held.take(webSocketId)
    if (!this.#isWanted(socket)) return ''
    if (!messages || this.#waiting.length > MAX_HELD) {
      this.left.push(webSocketId)
      return ''
    }
    const text = `${START}${messages.join(',')}${tailOf(socket)}`
    if (!this.#isStreaming) return this.#archive.separator() + text
    this.#waiting += `${this.#waiting === '' ? '' : BETWEEN}${text}`
    return ''
  }

  #stream(texts: readonly string[]): string {
    if (this.#isStreaming) return texts.length === 0 ? '' : `,${texts.join(',')}`
    this.#isStreaming = true
    return this.#archive.separator() + START + texts.join(',')
  }

  #tail(socket: Socket): string {
    this.#isStreaming = false
    return tailOf(socket)
  }

  #take(): string {
    const text = this.#waiting === '' ? '' : this.#archive.separator() + this.#waiting
    this.#waiting = ''
    return text
  }

  #socketOf(at: number, opened: Opened): Socket {
    const { url, status = null, requestHeaders = {}, responseHeaders = null } = opened
    const pageId = opened.pageId !== null && this.#archive.hasPage(opened.pageId, at) ? opened.pageId : null
    const open = { openedAt: at, closedAt: null, error: null, omitted: 0 }
    return { url, pageId, status, requestHeaders, responseHeaders, ...open }
  }

  #isWanted({ url, status, error }: Socket): boolean {
    // Filters treat it as a request with a type of its own.
    const facts: Partial<EntryData['NETWORK_REQUEST']> & { outcome: string } = {
      url,
      method: 'GET',
      resourceType: 'WEBSOCKET',
      status,
      failure: error,
      outcome: error === null ? 'COMPLETED' : 'FAILED',
    }
    const data = facts as EntryData['NETWORK_REQUEST']
    return matchesFilter({ kind: 'NETWORK_REQUEST', sequence: 1, at: 0, data }, { kinds: null, network: this.#filter })
  }
}

export const BETWEEN = ',\n'
/** The messages come first, so that the remaining members can be written once the socket has closed. */
const START = '{"_webSocketMessages":['

const tailOf = (socket: Socket) => `],${JSON.stringify(socketEntry(socket)).slice(1)}`

/** Same members as in DevTools, with the time in seconds. */
function harMessage({ at, direction, opcode, text, base64 }: LoggedMessage): string {
  return JSON.stringify({
    type: direction === 'SENT' ? 'send' : 'receive',
    time: at / 1000,
    opcode: opcode === 'TEXT' ? 1 : 2,
    data: text ?? base64 ?? '',
  })
}

function socketEntry(socket: Socket): HarRequest {
  const { url, openedAt, closedAt, error, status, pageId, omitted } = socket
  const responseHeaders = socket.responseHeaders ?? {}
  const duration = closedAt === null ? 0 : Math.max(0, closedAt - openedAt)
  const sizes = { headersSize: UNKNOWN, bodySize: UNKNOWN }
  return {
    ...(pageId === null ? {} : { pageref: pageId }),
    startedDateTime: new Date(openedAt).toISOString(),
    time: duration,
    request: {
      method: 'GET',
      url,
      httpVersion: 'HTTP/1.1',
      cookies: sentCookies(socket.requestHeaders),
      headers: headersOf(socket.requestHeaders),
      queryString: queryOf(url),
      ...sizes,
    },
    response: {
      status: status ?? (error === null ? SWITCHING_PROTOCOLS : UNKNOWN),
      statusText: (status === null ? error : null) ?? '',
      httpVersion: 'HTTP/1.1',
      cookies: setCookies(responseHeaders),
      headers: headersOf(responseHeaders),
      content: { size: UNKNOWN, mimeType: 'x-unknown' },
      redirectURL: '',
      ...sizes,
      ...(error === null ? {} : { _failureText: error, _error: error }),
    },
    cache: {},
    timings: { blocked: UNKNOWN, dns: UNKNOWN, connect: UNKNOWN, ssl: UNKNOWN, send: 0, wait: duration, receive: 0 },
    ...(omitted > 0 ? { comment: `${omitted} messages are not recorded.` } : {}),
    _resourceType: 'websocket' satisfies Entry['_resourceType'],
  }
}
