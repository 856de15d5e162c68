import WebSocket from 'ws'
import type { ServerProcess } from '../server-process.ts'
import { timeOfLine } from './simulated-browsers.ts'

/** As many operations as one WebSocket can have. */
const PER_SOCKET = 100
const OPEN_MS = 30_000

const FOLLOW = `subscription ($id: ID!) { consoleMessages(sessionId: $id) { entries { text } live } }`

interface Message {
  type: string
  id?: string
  payload?: { data?: { consoleMessages: { entries: { text: string }[]; live: boolean } }; errors?: object[] }
}

/** A log to read: its session, and whether it is read at the machine of the session. */
export interface WantedLog {
  sessionId: string
  isOwn: boolean
}

/** Many subscriptions to logs, over as few WebSockets as there may be: a client that costs little. */
export class LogReaders {
  readonly #sockets = new Set<WebSocket>()
  readonly #delaysMs = { own: [] as number[], elsewhere: [] as number[] }
  #since = Number.POSITIVE_INFINITY
  #count = 0
  #live = 0
  /** The first thing that went wrong; null: nothing. */
  #failure: string | null = null

  get count(): number {
    return this.#count
  }

  /** Those that have read their log to its end. */
  get live(): number {
    return this.#live
  }

  /** Subscribes to them at the machine. Rejects if it does not accept the connections. */
  async open(machine: ServerProcess, logs: readonly WantedLog[]): Promise<void> {
    for (let from = 0; from < logs.length; from += PER_SOCKET) {
      await this.#openSocket(machine, logs.slice(from, from + PER_SOCKET))
    }
  }

  /** From now on delays are kept, of lines that are logged from now on. */
  begin(): void {
    this.#delaysMs.own.length = 0
    this.#delaysMs.elsewhere.length = 0
    this.#since = Date.now()
  }

  /** From the page's line until the subscriber has it, by where it is read. Throws what went wrong with a subscription. */
  end(): { own: readonly number[]; elsewhere: readonly number[] } {
    this.#since = Number.POSITIVE_INFINITY
    this.check()
    return { own: [...this.#delaysMs.own], elsewhere: [...this.#delaysMs.elsewhere] }
  }

  check(): void {
    if (this.#failure !== null) throw new Error(this.#failure)
  }

  close(): void {
    for (const socket of this.#sockets) socket.terminate()
    this.#sockets.clear()
  }

  async #openSocket({ url, apiKey }: ServerProcess, logs: readonly WantedLog[]): Promise<void> {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws', {
      perMessageDeflate: false,
      handshakeTimeout: OPEN_MS,
    })
    this.#sockets.add(socket)
    const isLive = new Set<string>()
    const acknowledged = Promise.withResolvers<void>()
    const fail = (reason: string) => {
      acknowledged.reject(new Error(reason))
      // After `close` nothing is wrong.
      if (this.#sockets.has(socket)) this.#failure ??= reason
    }
    // It may reject before it is awaited.
    acknowledged.promise.catch(() => {})
    socket.on('error', ({ message }) => fail(`a WebSocket of subscriptions failed: ${message}`))
    socket.on('close', (code, reason) => fail(`a WebSocket of subscriptions was closed: ${code} ${reason.toString()}`))
    socket.on('message', (data: Buffer) => {
      const { type, id = '', payload } = JSON.parse(data.toString()) as Message
      if (type === 'connection_ack') acknowledged.resolve()
      else if (type === 'ping') socket.send('{"type":"pong"}')
      else if (type === 'error' || type === 'complete' || payload?.errors) {
        fail(`a subscription ended: ${data.toString().slice(0, 300)}`)
      } else if (payload?.data) {
        const { entries, live } = payload.data.consoleMessages
        if (live && !isLive.has(id)) {
          isLive.add(id)
          this.#live += 1
        }
        for (const { text } of entries) this.#received(timeOfLine(text), logs[Number(id)]!.isOwn)
      }
    })
    socket.on('open', () => {
      socket.send(JSON.stringify({ type: 'connection_init', payload: { 'X-API-Key': apiKey } }))
    })
    await acknowledged.promise
    for (const [index, { sessionId }] of logs.entries()) {
      const payload = { query: FOLLOW, variables: { id: sessionId } }
      socket.send(JSON.stringify({ type: 'subscribe', id: String(index), payload }))
    }
    this.#count += logs.length
  }

  #received(at: number, isOwn: boolean): void {
    if (at < this.#since) return
    this.#delaysMs[isOwn ? 'own' : 'elsewhere'].push(Date.now() - at)
  }
}
