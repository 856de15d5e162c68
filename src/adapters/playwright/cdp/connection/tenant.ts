import { owned } from '../../../../fault-owner.ts'
import type { MessageEnds } from '../pipe/message-text.ts'
import type { TooLarge } from '../pipe/oversized-message.ts'

/** A command of a guest, as it goes to the browser. */
export interface TenantCommand {
  method: string
  params: object
  sessionId: string
}

/** Someone who drives sessions of the protocol of its own over this wire. */
export interface Tenant {
  /** An event of one of its sessions, as it came. Must not throw. */
  event(message: Buffer, ends: MessageEnds): void
  /** An event of one of its sessions was too large to be handed on. Must not throw. */
  eventTooLarge(event: TooLarge): void
}

/** Who waits for the answer to a guest's command. Calls must not throw. */
export interface TenantResponse {
  answered(message: Buffer, ends: MessageEnds): void
  /** `why`: for people. */
  tooLarge(why: string): void
}

/** What it throws ends its owner, not the browser. */
export function ownedTenant(guest: Tenant): Tenant {
  return {
    event: owned<Parameters<Tenant['event']>>((...args) => guest.event(...args)),
    eventTooLarge: owned<Parameters<Tenant['eventTooLarge']>>((...args) => guest.eventTooLarge(...args)),
  }
}

/** The same of one who waits. */
export function ownedAnswer(answer: TenantResponse): TenantResponse {
  return {
    answered: owned<Parameters<TenantResponse['answered']>>((...args) => answer.answered(...args)),
    tooLarge: owned<Parameters<TenantResponse['tooLarge']>>((...args) => answer.tooLarge(...args)),
  }
}
