import { once } from 'node:events'
import WebSocket from 'ws'

interface Answer {
  id?: number
  result?: Record<string, unknown>
  error?: { message: string }
}

/** A minimal CDP client, to measure the path between it and the browser. */
export class CdpSocket {
  readonly #socket: WebSocket
  readonly #waiting = new Map<number, PromiseWithResolvers<Answer>>()
  #nextId = 1

  private constructor(socket: WebSocket) {
    this.#socket = socket
    socket.on('message', (data: Buffer) => {
      const answer = JSON.parse(data.toString()) as Answer
      if (answer.id === undefined) return
      this.#waiting.get(answer.id)?.resolve(answer)
      this.#waiting.delete(answer.id)
    })
    socket.on('error', () => {})
    socket.on('close', (code, reason) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`closed: ${code} ${reason.toString()}`))
      this.#waiting.clear()
    })
  }

  static async connect(url: string): Promise<CdpSocket> {
    const socket = new WebSocket(url, { perMessageDeflate: false, maxPayload: 256 * 1024 * 1024 })
    await once(socket, 'open')
    return new CdpSocket(socket)
  }

  async send<T>(method: string, params: object = {}, sessionId?: string): Promise<T> {
    const id = this.#nextId++
    if (this.#socket.readyState !== this.#socket.OPEN) throw new Error(`${method}: the connection is closed`)
    const waiting = Promise.withResolvers<Answer>()
    this.#waiting.set(id, waiting)
    this.#socket.send(JSON.stringify({ id, method, params, ...(sessionId ? { sessionId } : {}) }))
    const { result, error } = await waiting.promise
    if (!result) throw new Error(`${method}: ${error?.message}`)
    return result as T
  }

  /** A session with the first page. */
  async attachToPage(): Promise<string> {
    const { targetInfos } = await this.send<{ targetInfos: { type: string; targetId: string }[] }>('Target.getTargets')
    const { targetId } = targetInfos.find(({ type }) => type === 'page')!
    return (await this.send<{ sessionId: string }>('Target.attachToTarget', { targetId, flatten: true })).sessionId
  }

  async close(): Promise<void> {
    const closed = once(this.#socket, 'close')
    this.#socket.close()
    await closed
  }
}
