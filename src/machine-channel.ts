import type { RawData, WebSocket } from 'ws'
import type { MachineChannel } from './ports/machines/machine-link.ts'

/** A call over a connection to another machine: by WebSocket, at either end. */

/** Of one message. Those of clients of the browser's protocol are the largest: 64 MB. */
export const CHANNEL_MESSAGE_BYTES = 128 * 1024 * 1024

/** Without a response to two pings in a row, the other side is gone. */
const PING_MS = 10_000
const MAX_UNANSWERED = 2
/** For what is on its way when a side closes it. */
const CLOSE_MS = 5_000
const DONE = 1000

/** Messages wait while the other side does not read; senders check `unsentBytes`. */
export class SocketChannel implements MachineChannel {
  readonly closed: Promise<void>
  readonly #socket: WebSocket
  #unanswered = 0
  #closing: NodeJS.Timeout | null = null
  #onDrain: (() => void) | null = null

  constructor(socket: WebSocket) {
    this.#socket = socket
    // Nothing is read before somebody listens.
    socket.pause()
    const pings = setInterval(() => this.#ping(), PING_MS).unref()
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        clearInterval(pings)
        if (this.#closing) clearTimeout(this.#closing)
        resolve()
      })
    })
    // ws closes the socket itself after an error.
    socket.on('error', () => {})
    socket.on('pong', () => (this.#unanswered = 0))
  }

  get unsentBytes(): number {
    return this.#socket.bufferedAmount
  }

  send(message: Uint8Array): void {
    const socket = this.#socket
    if (socket.readyState !== socket.OPEN) return
    socket.send(message, { binary: true }, () => {
      if (socket.bufferedAmount === 0) this.#onDrain?.()
    })
  }

  onMessage(listener: (message: Uint8Array) => void): void {
    this.#socket.on('message', (data: RawData) => {
      this.#unanswered = 0
      try {
        listener(bytesOf(data))
      } catch {
        // Another version of the program may say what this one does not know.
        this.#socket.terminate()
      }
    })
    this.#socket.resume()
  }

  onDrain(listener: () => void): void {
    this.#onDrain = listener
  }

  close(): void {
    const socket = this.#socket
    if (socket.readyState === socket.CLOSED) return
    // A paused socket never receives the other side's close frame.
    socket.resume()
    socket.close(DONE)
    this.#closing ??= setTimeout(() => socket.terminate(), CLOSE_MS).unref()
  }

  /** At once. */
  terminate(): void {
    this.#socket.terminate()
  }

  #ping(): void {
    this.#unanswered += 1
    if (this.#unanswered > MAX_UNANSWERED) this.#socket.terminate()
    else if (this.#socket.readyState === this.#socket.OPEN) this.#socket.ping()
  }
}

function bytesOf(data: RawData): Uint8Array {
  if (Array.isArray(data)) return Buffer.concat(data)
  return Buffer.isBuffer(data) ? data : new Uint8Array(data)
}
