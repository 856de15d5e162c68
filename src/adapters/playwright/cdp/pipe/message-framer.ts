import { freeMemory } from './free-memory.ts'
import { headOf, tailOf, type MessageLimits, type OversizedMessage } from './message-limits.ts'
import type { MessageHolder, UnfinishedMessages } from './unfinished-messages.ts'

const NUL = 0
/** Many pieces smaller than this are joined: each has a fixed cost. */
const SMALL_PIECE = 4096
const MAX_SMALL_PIECES = 256

/**
 * Splits the bytes of a pipe into NUL-terminated messages. Of a message that is too large, only the ends are kept while
 * the rest arrives, so that no message takes more memory than its limit.
 */
export class MessageFramer implements MessageHolder {
  readonly #limits: MessageLimits
  readonly #unfinished: UnfinishedMessages
  readonly #mayBeRelayed: (head: Buffer) => boolean
  readonly #chunks: Buffer[] = []
  #offset = 0
  #pieces: Buffer[] = []
  #bytes = 0
  #smallPieces = 0
  #isSkipping = false

  /** `mayBeRelayed`: whether a message with this beginning may be handed to a client unparsed. */
  constructor(limits: MessageLimits, unfinished: UnfinishedMessages, mayBeRelayed: (head: Buffer) => boolean) {
    this.#limits = limits
    this.#unfinished = unfinished
    this.#mayBeRelayed = mayBeRelayed
  }

  /** The framer must own the chunk: it frees its memory. */
  push(chunk: Buffer): void {
    if (chunk.length > 0) this.#chunks.push(chunk)
  }

  /** Whether all pushed bytes were processed; the beginning of a message may still be held. */
  get isIdle(): boolean {
    return this.#chunks.length === 0
  }

  /** Bytes of the incomplete message. */
  get unfinishedBytes(): number {
    return this.#bytes
  }

  /** Whether it is skipping a message that has no end. */
  get isEndless(): boolean {
    return this.#isSkipping && this.#bytes > this.#limits.skipped
  }

  /** The next complete message; null: there is none. */
  next(): Buffer | OversizedMessage | null {
    for (let chunk = this.#chunks[0]; chunk; chunk = this.#chunks[0]) {
      const start = this.#offset
      const end = chunk.indexOf(NUL, start)
      if (end === -1 || end + 1 === chunk.length) {
        this.#chunks.shift()
        this.#offset = 0
      } else {
        this.#offset = end + 1
      }
      if (end !== -1) return this.#complete(chunk.subarray(start, end))
      this.#keep(start === 0 ? chunk : chunk.subarray(start))
    }
    return null
  }

  giveUp(): void {
    const ends = [headOf(this.#pieces), tailOf(this.#pieces)]
    this.#pieces.forEach(freeMemory)
    this.#isSkipping = true
    this.#pieces = ends
    this.#smallPieces = 0
  }

  dispose(): void {
    this.#chunks.length = 0
    this.#reset()
  }

  #complete(last: Buffer): Buffer | OversizedMessage {
    if (this.#bytes === 0 && last.length <= this.#limits.parsed) return last
    const bytes = this.#bytes + last.length
    const pieces = this.#isSkipping ? this.#pieces : [...this.#pieces, last]
    const isTooLarge = this.#isSkipping || this.#exceeds(bytes, pieces)
    try {
      if (!isTooLarge) {
        if (pieces.length === 1) return last
        const whole = Buffer.concat(pieces, bytes)
        pieces.forEach(freeMemory)
        return whole
      }
      const [head, tail] = this.#isSkipping
        ? [pieces[0]!, tailOf([pieces[1]!, last])]
        : [headOf(pieces), tailOf(pieces)]
      return { head, tail, bytes }
    } finally {
      this.#reset()
    }
  }

  #keep(piece: Buffer): void {
    this.#bytes += piece.length
    if (this.#isSkipping) {
      const [head, tail] = this.#pieces
      this.#pieces = [head!, tailOf([tail!, piece])]
      freeMemory(piece)
      return
    }
    this.#pieces.push(piece)
    this.#joinSmall(piece)
    if (!this.#exceeds(this.#bytes, this.#pieces)) return this.#unfinished.hold(this, this.#bytes)
    this.#unfinished.hold(this, 0)
    this.giveUp()
  }

  #exceeds(bytes: number, pieces: readonly Buffer[]): boolean {
    const { parsed, relayed } = this.#limits
    return bytes > parsed && (bytes > relayed || !this.#mayBeRelayed(headOf(pieces)))
  }

  #joinSmall(piece: Buffer): void {
    this.#smallPieces = piece.length < SMALL_PIECE ? this.#smallPieces + 1 : 0
    if (this.#smallPieces < MAX_SMALL_PIECES) return
    this.#pieces.push(Buffer.concat(this.#pieces.splice(-MAX_SMALL_PIECES)))
    this.#smallPieces = 0
  }

  #reset(): void {
    if (this.#bytes > 0) this.#unfinished.hold(this, 0)
    this.#pieces = []
    this.#bytes = 0
    this.#smallPieces = 0
    this.#isSkipping = false
  }
}
