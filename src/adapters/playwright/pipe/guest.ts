import type { MessageEnds } from '../relay/message-text.ts'
import type { TooLarge } from './oversized-message.ts'

/** A command of a guest, as it goes to the browser. */
export interface GuestCommand {
  method: string
  params: object
  sessionId: string
}

/** Someone who drives sessions of the protocol of its own over this wire. */
export interface Guest {
  /** An event of one of its sessions, as it came. Must not throw. */
  event(message: Buffer, ends: MessageEnds): void
  /** An event of one of its sessions was too large to be handed on. Must not throw. */
  eventTooLarge(event: TooLarge): void
}

/** Who waits for the answer to a guest's command. Calls must not throw. */
export interface GuestAnswer {
  answered(message: Buffer, ends: MessageEnds): void
  /** `why`: for people. */
  tooLarge(why: string): void
}
