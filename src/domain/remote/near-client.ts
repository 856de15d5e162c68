import { inTurns } from '../../async/turns.ts'
import type { CdpClient } from '../../ports/browser/cdp-client.ts'
import type { MachineChannel } from '../../ports/machines/machine-link.ts'
import type { Request } from './call-messages.ts'
import { encode } from './codec.ts'

/**
 * What a client has taken is reported once it is this much, or after a while: a report of each message would be a message
 * more for every answer of the browser. It is small beside what a client may leave unread.
 */
const REPORT_BYTES = 256 * 1024
const REPORT_MS = 50
/** A client is not read, and no more of its messages is sent, while this much is on its way. */
const MAX_ON_THE_WAY = 1024 * 1024
/** Longer messages are sent in pieces of this size: each takes less than a millisecond at either end. */
const PIECE_BYTES = 128 * 1024
/** WebSocket close code: internal error. */
const INTERNAL_ERROR = 1011
const NOTHING = new Uint8Array(0)

interface Waiting {
  pieces: Generator<Piece, undefined>
  taken: () => void
}

interface Piece {
  bytes: Uint8Array
  isLast: boolean
}

/**
 * The client's side of a client of a session on another machine. Its messages are sent there as fast as they are read,
 * and how much it has taken is reported there.
 */
export class NearClient {
  readonly #id: number
  readonly #client: CdpClient
  readonly #channel: MachineChannel
  #pieces: Uint8Array[] = []
  #isPausedThere = false
  #isPaused = false
  #takenBytes = 0
  #reporting: NodeJS.Timeout | undefined
  #sendsPieces = false
  /** Messages that are being sent in pieces, and those behind them. */
  readonly #waiting: Waiting[] = []
  #isStopped = false
  #goOn: (() => void) | null = null

  constructor(id: number, client: CdpClient, channel: MachineChannel) {
    this.#id = id
    this.#client = client
    this.#channel = channel
  }

  /** The other side takes messages in pieces. */
  sendInPieces(): void {
    this.#sendsPieces = true
  }

  /** A message of the client; see AttachedClient. Never rejects. */
  receive(message: readonly Uint8Array[]): void | Promise<void> {
    if (this.#isStopped) return undefined
    const isLarge = message.reduce((sum, { byteLength }) => sum + byteLength, 0) > PIECE_BYTES
    if (!this.#sendsPieces || (!isLarge && this.#waiting.length === 0)) {
      this.#report({
        say: 'RECEIVE',
        id: this.#id,
        message: message.length === 1 ? message[0]! : Buffer.concat(message),
      })
      return this.regulate()
    }
    const { promise, resolve: taken } = Promise.withResolvers<void>()
    this.#waiting.push({ pieces: piecesOf(message.length === 0 ? [NOTHING] : message), taken })
    this.regulate()
    if (this.#waiting.length === 1) void this.#work()
    return promise
  }

  /** A piece of a message to the client. */
  send(bytes: Uint8Array, isLast: boolean): void {
    this.#pieces.push(bytes)
    if (isLast) {
      this.#client.send(this.#pieces)
      this.#pieces = []
    }
    this.#takenBytes += bytes.byteLength
    if (this.#takenBytes >= REPORT_BYTES) this.#reportTaken()
    else this.#reportTakenLater()
  }

  pause(): void {
    this.#isPausedThere = true
    this.regulate()
  }

  resume(): void {
    this.#isPausedThere = false
    this.regulate()
  }

  /** It is read while the session wants it to be, and what it sends arrives there. */
  regulate(): void {
    if (!this.#isHeldUp) this.#proceed()
    const isPaused = this.#isHeldUp || this.#waiting.length > 0
    if (isPaused === this.#isPaused) return
    this.#isPaused = isPaused
    if (isPaused) this.#client.pause()
    else this.#client.resume()
  }

  close(code: number, reason: string): void {
    this.stop()
    this.#client.close(code, reason)
  }

  /** It has left: nothing more of it is sent. */
  stop(): void {
    this.#isStopped = true
    clearTimeout(this.#reporting)
    for (const { taken } of this.#waiting.splice(0)) taken()
    this.#proceed()
  }

  get #isHeldUp(): boolean {
    return this.#isPausedThere || this.#channel.unsentBytes > MAX_ON_THE_WAY
  }

  #proceed(): void {
    this.#goOn?.()
    this.#goOn = null
  }

  /** Never rejects. */
  async #work(): Promise<void> {
    try {
      while (this.#waiting.length > 0) {
        if (this.#isHeldUp) await new Promise<void>((resolve) => (this.#goOn = resolve))
        else await inTurns(() => this.#sendPiece())
      }
      this.regulate()
    } catch {
      this.close(INTERNAL_ERROR, 'a message could not be sent to the server of the session')
    }
  }

  /** Returns whether another one can be sent now. */
  #sendPiece(): boolean {
    const [first] = this.#waiting
    if (!first) return false
    const { value } = first.pieces.next()
    const { bytes, isLast } = value!
    this.#report({ say: 'RECEIVE', id: this.#id, message: bytes, isLast })
    if (isLast) {
      this.#waiting.shift()
      first.taken()
    }
    return this.#waiting.length > 0 && !this.#isHeldUp
  }

  #reportTakenLater(): void {
    if (!this.#isStopped) this.#reporting ??= setTimeout(() => this.#reportTaken(), REPORT_MS).unref()
  }

  #reportTaken(): void {
    clearTimeout(this.#reporting)
    this.#reporting = undefined
    const { unsentBytes } = this.#client
    const bytes = this.#takenBytes
    this.#takenBytes = 0
    this.#report({ say: 'TAKEN', id: this.#id, bytes, unsentBytes })
    // Nothing else would say when the rest is sent.
    if (unsentBytes > 0) this.#reportTakenLater()
  }

  #report(request: Request): void {
    this.#channel.send(encode(request))
  }
}

/** The message in pieces of about the same size, however it was given. */
function* piecesOf(message: readonly Uint8Array[]): Generator<Piece, undefined> {
  let gathered: Uint8Array[] = []
  let size = 0
  for (const [index, part] of message.entries()) {
    const isLastPart = index === message.length - 1
    for (let at = 0; at < part.byteLength || (isLastPart && at === 0);) {
      const taken = part.subarray(at, at + PIECE_BYTES - size)
      gathered.push(taken)
      size += taken.byteLength
      at += taken.byteLength
      const isLast = isLastPart && at >= part.byteLength
      if (size === PIECE_BYTES || isLast) {
        yield { bytes: gathered.length === 1 ? gathered[0]! : Buffer.concat(gathered), isLast }
        gathered = []
        size = 0
      }
      if (taken.byteLength === 0) break
    }
  }
}
