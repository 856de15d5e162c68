import { CDP_CLOSE } from '../../contract/cdp-close-codes.ts'
import type { CdpClient } from '../../ports/browser/cdp-client.ts'
import type { ClientDetachReason } from '../../ports/log/log-entry.ts'
import { CLIENT_MESSAGE_BYTES, type MemoryBudget, type MemoryHolder } from '../kernel/memory-budget.ts'
import type { AttachedClient } from '../sessions/session-handle.ts'
import type { Response } from './call-messages.ts'

/** Longer messages to a client are sent in pieces. */
const PIECE_BYTES = 4 * 1024 * 1024
/** WebSocket close code: message too big. */
const TOO_BIG = 1009

/** The session's side of a client on another machine: data that has not been acknowledged from there is unsent. */
export class FarClient implements CdpClient, MemoryHolder {
  readonly #id: number
  readonly #send: (message: Response) => void
  readonly #memory: MemoryBudget
  #attached: AttachedClient | null = null
  #underWay = 0
  #unsentThere = 0
  #isPaused = false
  /** Of a message that has not arrived whole. */
  #pieces: Uint8Array[] = []
  #pieceBytes = 0
  /** Of messages that are being handled. */
  #handledBytes = 0
  #isClosing = false

  constructor(id: number, send: (message: Response) => void, memory: MemoryBudget) {
    this.#id = id
    this.#send = send
    this.#memory = memory
  }

  attached(client: AttachedClient): void {
    this.#attached = client
  }

  get unsentBytes(): number {
    return this.#underWay + this.#unsentThere
  }

  /** What its own machine keeps for it is counted there. */
  get heldBytes(): number {
    return this.#pieceBytes + this.#handledBytes + this.#underWay
  }

  closeForMemory(): void {
    this.close(CDP_CLOSE.tooMuchHeld, 'all clients together hold too much memory, this connection the most')
  }

  send(pieces: readonly Uint8Array[]): void {
    const parts = pieces.flatMap((piece) => cut(piece))
    for (const [index, bytes] of parts.entries()) {
      this.#underWay += bytes.byteLength
      this.#send({ say: 'SEND', id: this.#id, bytes, isLast: index === parts.length - 1 })
    }
    if (!this.#isClosing) this.#memory.note(this)
  }

  taken(bytes: number, unsentBytes: number): void {
    this.#underWay -= bytes
    this.#unsentThere = unsentBytes
  }

  /** A piece of a message of the client. */
  receive(piece: Uint8Array, isLast: boolean): void {
    if (this.#isClosing) return
    this.#pieces.push(piece)
    this.#pieceBytes += piece.byteLength
    if (this.#pieceBytes > CLIENT_MESSAGE_BYTES) return this.close(TOO_BIG, 'the message is too large')
    if (isLast) this.#receiveMessage()
    this.#memory.note(this)
  }

  #receiveMessage(): void {
    const [message, bytes] = [this.#pieces, this.#pieceBytes]
    this.#forgetPieces()
    const handling = this.#attached?.receive(message)
    if (!handling) return
    this.#handledBytes += bytes
    void handling.finally(() => (this.#handledBytes -= bytes))
  }

  #forgetPieces(): void {
    this.#pieces = []
    this.#pieceBytes = 0
  }

  /** Its process is on another machine. */
  async localUser(): Promise<null> {
    return null
  }

  pause(): void {
    if (this.#isPaused) return
    this.#isPaused = true
    this.#send({ say: 'PAUSE', id: this.#id })
  }

  resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#send({ say: 'RESUME', id: this.#id })
  }

  close(code: number, reason: string): void {
    this.#isClosing = true
    this.#forgetPieces()
    this.#send({ say: 'CLOSE', id: this.#id, code, reason })
  }

  /** It has left, or its connection was lost. */
  async leave(reason: ClientDetachReason): Promise<void> {
    this.#isClosing = true
    this.#forgetPieces()
    this.#memory.forget(this)
    await this.#attached?.leave(reason)
  }
}

function cut(piece: Uint8Array): Uint8Array[] {
  if (piece.byteLength <= PIECE_BYTES) return [piece]
  const count = Math.ceil(piece.byteLength / PIECE_BYTES)
  return Array.from({ length: count }, (_, index) => piece.subarray(index * PIECE_BYTES, (index + 1) * PIECE_BYTES))
}
