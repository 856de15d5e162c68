import { once } from 'node:events'
import WebSocket from 'ws'

export interface CdpAnswer {
  id?: number
  method?: string
  params?: Record<string, unknown>
  sessionId?: string
  result?: Record<string, unknown>
  error?: { code: number; message: string }
}

/** A CDP client without a library between it and the wire. */
export class CdpSocket implements AsyncDisposable {
  readonly socket: WebSocket
  readonly events: CdpAnswer[] = []
  /** Messages that are not responses to this client's commands. */
  readonly strays: CdpAnswer[] = []
  readonly closed: Promise<{ code: number; reason: string }>
  readonly #waiting = new Map<number, (answer: CdpAnswer) => void>()
  readonly #watchers: { matches: (event: CdpAnswer) => boolean; resolve: (event: CdpAnswer) => void }[] = []
  #nextId = 1

  private constructor(socket: WebSocket) {
    this.socket = socket
    this.closed = new Promise((resolve) =>
      socket.once('close', (code, reason) => resolve({ code, reason: String(reason) })),
    )
    socket.on('error', () => {})
    socket.on('message', (data) => this.#receive(JSON.parse((data as Buffer).toString()) as CdpAnswer))
  }

  static async connect(url: string, headers: Record<string, string> = {}): Promise<CdpSocket> {
    const socket = new WebSocket(url, { headers, perMessageDeflate: false, maxPayload: 256 * 1024 * 1024 })
    const opened = new CdpSocket(socket)
    await Promise.race([
      once(socket, 'open'),
      new Promise((_, reject) =>
        socket.once('unexpected-response', (__, { statusCode }) => reject(new Error(`${statusCode}`))),
      ),
    ])
    return opened
  }

  /** The response, even if it is an error. */
  ask(method: string, params: object = {}, sessionId?: string): Promise<CdpAnswer> {
    const id = this.#nextId++
    const { promise, resolve } = Promise.withResolvers<CdpAnswer>()
    this.#waiting.set(id, resolve)
    this.socket.send(JSON.stringify({ id, method, params, ...(sessionId ? { sessionId } : {}) }))
    return promise
  }

  /** The result of a command that must succeed. */
  async send(method: string, params: object = {}, sessionId?: string): Promise<Record<string, unknown>> {
    const { result, error } = await this.ask(method, params, sessionId)
    if (!result) throw new Error(`${method}: ${error?.message}`)
    return result
  }

  /** The first matching event, past or future. */
  event(matches: (event: CdpAnswer) => boolean): Promise<CdpAnswer> {
    const found = this.events.find(matches)
    if (found) return Promise.resolve(found)
    const { promise, resolve } = Promise.withResolvers<CdpAnswer>()
    this.#watchers.push({ matches, resolve })
    return promise
  }

  /** A flat session with the first page. */
  async attachToPage(): Promise<{ targetId: string; sessionId: string }> {
    const { targetInfos } = (await this.send('Target.getTargets')) as {
      targetInfos: { type: string; targetId: string }[]
    }
    const { targetId } = targetInfos.find(({ type }) => type === 'page')!
    const { sessionId } = (await this.send('Target.attachToTarget', { targetId, flatten: true })) as {
      sessionId: string
    }
    return { targetId, sessionId }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.close()
    await this.closed
  }

  #receive(message: CdpAnswer): void {
    if (message.method === undefined) {
      const settle = message.id === undefined ? undefined : this.#waiting.get(message.id)
      if (!settle) this.strays.push(message)
      if (message.id !== undefined) this.#waiting.delete(message.id)
      settle?.(message)
      return
    }
    this.events.push(message)
    for (const watcher of this.#watchers.filter(({ matches }) => matches(message))) {
      this.#watchers.splice(this.#watchers.indexOf(watcher), 1)
      watcher.resolve(message)
    }
  }
}
