import { once } from 'node:events'
import { WebSocket, type RawData } from 'ws'
import { Deadline } from '../async/deadline.ts'
import { StartupFailed } from '../startup-failed.ts'

const OPEN_MS = 15_000
const ANSWER_MS = 10_000
const CLOSE_MS = 1_000
/** The server sends at most 64 MiB in response to a command. */
const MESSAGE_BYTES = 128 * 1024 * 1024

interface Answer {
  id?: number
  result?: object
  error?: { message: string }
}

/** A connection to the browser of a session, not open yet. */
export function connectTo(cdpUrl: string, userAgent: string): WebSocket {
  return new WebSocket(cdpUrl, {
    headers: { 'user-agent': userAgent },
    perMessageDeflate: false,
    maxPayload: MESSAGE_BYTES,
    handshakeTimeout: OPEN_MS,
  })
}

export function textOf(data: RawData): string {
  if (Array.isArray(data)) return Buffer.concat(data).toString()
  return Buffer.isBuffer(data) ? data.toString() : Buffer.from(data).toString()
}

/** The bridge's own connection to the browser: answers HTTP requests, and reports the end of the session. */
export class BrowserLink {
  /** Never rejects. */
  readonly closed: Promise<{ code: number; reason: string }>
  readonly #socket: WebSocket
  readonly #waiting = new Map<number, PromiseWithResolvers<object>>()
  #nextId = 1

  private constructor(socket: WebSocket) {
    this.#socket = socket
    this.closed = new Promise((resolve) => {
      socket.once('close', (code, reason) => {
        for (const { reject } of this.#waiting.values()) reject(new Error('the connection with the server has ended'))
        this.#waiting.clear()
        resolve({ code, reason: reason.toString() })
      })
    })
    socket.on('error', () => {})
    socket.on('message', (data) => this.#receive(textOf(data)))
  }

  /** Rejects with StartupFailed. */
  static async open(cdpUrl: string, userAgent: string): Promise<BrowserLink> {
    const socket = connectTo(cdpUrl, userAgent)
    const link = new BrowserLink(socket)
    const { promise: refused, reject } = Promise.withResolvers<never>()
    socket.once('error', (error) => reject(new StartupFailed(`The server refused the connection: ${error.message}`)))
    await Promise.race([once(socket, 'open'), refused])
    return link
  }

  /** Rejects if the browser rejects the command or does not respond in time. */
  async ask<R extends object>(method: string, params: object = {}): Promise<R> {
    const id = this.#nextId++
    const answer = Promise.withResolvers<object>()
    this.#waiting.set(id, answer)
    using deadline = new Deadline(ANSWER_MS, [], () => new Error(`${method}: no answer within ${ANSWER_MS / 1000} s`))
    try {
      this.#socket.send(JSON.stringify({ id, method, params }), (error) => error && answer.reject(error))
      return (await deadline.race(answer.promise)) as R
    } finally {
      this.#waiting.delete(id)
    }
  }

  async close(): Promise<void> {
    this.#socket.close(1000)
    const timer = setTimeout(() => this.#socket.terminate(), CLOSE_MS)
    await this.closed
    clearTimeout(timer)
  }

  #receive(text: string): void {
    const { id, result, error } = JSON.parse(text) as Answer
    const waiting = id === undefined ? undefined : this.#waiting.get(id)
    if (error) waiting?.reject(new Error(error.message))
    else waiting?.resolve(result ?? {})
  }
}
