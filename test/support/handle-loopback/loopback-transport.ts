import type { ClientDetachReason } from '../../../src/ports/log-entry.ts'
import { decode, encode, type EncodedError } from './codec.ts'

/** Messages of the caller's side. `id`: of the call that started it. */
export type Request =
  | { say: 'CALL'; id: number; method: string; args: unknown[] }
  | { say: 'ABORT'; id: number }
  /** The next item of a stream. */
  | { say: 'NEXT'; id: number; stream: number }
  | { say: 'RETURN'; stream: number }
  /** Requested chunk of an upload. `bytes` null: the end, or the source failed. */
  | { say: 'CHUNK'; id: number; bytes: Uint8Array | null; hasFailed: boolean }
  /** Of a client: a message, the amount of unsent data, and its end. */
  | { say: 'RECEIVE'; id: number; message: Uint8Array }
  | { say: 'TAKEN'; id: number; bytes: number; unsentBytes: number }
  | { say: 'LOCAL_USER'; id: number; user: number | null }
  | { say: 'LEAVE'; id: number; client: number; reason: ClientDetachReason }

/** Messages of the session's side. */
export type Response =
  | { say: 'RESULT'; id: number; result: unknown }
  | { say: 'ERROR'; id: number; error: EncodedError }
  /** Requests one chunk of an upload, or the end. */
  | { say: 'WANT'; id: number }
  | { say: 'ENOUGH'; id: number }
  /** To a client. */
  | { say: 'SEND'; id: number; bytes: Uint8Array }
  | { say: 'PAUSE'; id: number }
  | { say: 'RESUME'; id: number }
  | { say: 'CLOSE'; id: number; code: number; reason: string }
  | { say: 'ASK_LOCAL_USER'; id: number }

/** One direction of a connection: messages arrive as bytes, in order, and never during the send. */
export class LoopbackTransport<Message> {
  #listener: ((message: Message) => void) | null = null

  onMessage(listener: (message: Message) => void): void {
    this.#listener = listener
  }

  send(message: Message): void {
    const bytes = encode(message)
    // Immediates run in the order in which they were set.
    setImmediate(() => this.#listener?.(decode(bytes) as Message))
  }
}
