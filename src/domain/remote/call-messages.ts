import type { ClientDetachReason } from '../../ports/log/log-entry.ts'
import type { MachineAddress, MessageId } from '../../ports/machines/machine-link.ts'
import type { Question } from '../sessions/handle-set.ts'
import type { EncodedError } from './codec.ts'

/** Of the messages below. A machine refuses calls of a version that it does not know. */
export const CALLS_VERSION = 1

/** Larger calls and results go over a connection of their own. */
export const MESSAGE_BYTES = 256 * 1024

/** Room in a message for all but a result. */
export const ENVELOPE_BYTES = 1_024

/** A message to a machine. */
export type CallMessage = MessageId & { version: number } & (
    | { say: 'CALL'; sessionId: string; method: string; args: unknown[]; isAborted: boolean }
    | { say: 'ASK'; sessionIds: string[]; question: Question; answerMs: number }
    /** Cancels a call of the same sender. */
    | { say: 'ABORT'; call: number }
    /** The sender still waits for these of its calls. Replies that were lost are repeated. */
    | { say: 'WAITING'; calls: number[] }
  )

/** The reply to a message. */
export type ReplyMessage =
  | { say: 'RESULT'; result: unknown }
  | { say: 'ERROR'; error: EncodedError }
  /** The result is too large for a message: it is fetched over a connection. */
  | { say: 'TOO_LARGE' }
  /** The message was lost; or it was repeated, and its result is not kept any more. */
  | { say: 'FORGOTTEN' }
  /** Version or method are not known here. */
  | { say: 'UNKNOWN' }

/** The first message over a connection: what it is for. */
export type OpenMessage = { version: number } & (
  | { say: 'SESSION'; sessionId: string }
  /** The result of a call that was too large for a message. */
  | { say: 'FETCH'; call: MessageId }
)

/** Further messages of the caller over a connection. `id`: of the call that started it. */
export type Request =
  | { say: 'CALL'; id: number; method: string; args: unknown[]; isAborted: boolean }
  | { say: 'ABORT'; id: number }
  /** The next item of a stream. */
  | { say: 'NEXT'; id: number; stream: number }
  | { say: 'RETURN'; stream: number }
  /** Requested chunk of an upload. `bytes` null: the end, or the source failed. */
  | { say: 'CHUNK'; id: number; bytes: Uint8Array | null; hasFailed: boolean }
  /** Of a client: a message or a piece of one, the amount of unsent data, and its end. Without `isLast` it is whole. */
  | { say: 'RECEIVE'; id: number; message: Uint8Array; isLast?: boolean }
  | { say: 'TAKEN'; id: number; bytes: number; unsentBytes: number }
  | { say: 'LEAVE'; id: number; client: number; reason: ClientDetachReason }

/** The result of attaching a client. Null, of earlier servers: its messages are sent whole. */
export type AttachedResult = { takesPieces: true } | null

/** Messages of the session's side over a connection. */
export type Response =
  | { say: 'RESULT'; id: number; result: unknown }
  | { say: 'ERROR'; id: number; error: EncodedError }
  /** Requests one chunk of an upload, or the end. */
  | { say: 'WANT'; id: number }
  | { say: 'ENOUGH'; id: number }
  /** To a client: a piece of a message. */
  | { say: 'SEND'; id: number; bytes: Uint8Array; isLast: boolean }
  | { say: 'PAUSE'; id: number }
  | { say: 'RESUME'; id: number }
  | { say: 'CLOSE'; id: number; code: number; reason: string }
  | { say: 'UNKNOWN'; id: number }

/** What the code of a message covers besides the message: it is valid for one machine, one process of it. */
export const callContext = ({ machineId, epoch }: MachineAddress) => `call ${machineId} ${epoch}`

/** A reply is valid for one message. */
export const replyContext = ({ machineId, epoch }: MachineAddress, { sender, number }: MessageId) =>
  `reply ${machineId} ${epoch} ${sender} ${number}`
