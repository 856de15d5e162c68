import { owned } from '../../../../fault-owner.ts'
import type { MessageEnds } from '../pipe/message-text.ts'
import type { TooLarge } from '../pipe/oversized-message.ts'

/** A tenant's command, as sent to the browser. */
export interface TenantCommand {
  method: string
  params: object
  sessionId: string
  /** The parameters as they are handed on, an object in JSON; null: `params`, serialized. */
  body?: readonly Buffer[] | null
}

/** As the browser reads it: a message that ends with NUL, in pieces. */
export function encodeCommand(id: number, { body = null, ...command }: TenantCommand): Buffer[] {
  if (!body) return [Buffer.from(`${JSON.stringify({ id, ...command })}\0`)]
  const { method, sessionId } = command
  const head = `{"id":${id},"method":${JSON.stringify(method)},"params":`
  return [Buffer.from(head), ...body, Buffer.from(`,"sessionId":${JSON.stringify(sessionId)}}\0`)]
}

/** A client that drives CDP sessions of its own over this connection. */
export interface Tenant {
  /** An unparsed event of one of its sessions. Must not throw. */
  event(message: Buffer, ends: MessageEnds): void
  /** An event of one of its sessions was too large to deliver. Must not throw. */
  eventTooLarge(event: TooLarge): void
}

/** Receiver of the response to a tenant's command. Its methods must not throw. */
export interface TenantResponse {
  answered(message: Buffer, ends: MessageEnds): void
  /** `why`: an error message for people. */
  tooLarge(why: string): void
}

/** Wraps a tenant so that an error in it ends its owner, not the browser. */
export function ownedTenant(tenant: Tenant): Tenant {
  return {
    event: owned<Parameters<Tenant['event']>>((...args) => tenant.event(...args)),
    eventTooLarge: owned<Parameters<Tenant['eventTooLarge']>>((...args) => tenant.eventTooLarge(...args)),
  }
}

/** The same for a receiver of a response. */
export function ownedAnswer(answer: TenantResponse): TenantResponse {
  return {
    answered: owned<Parameters<TenantResponse['answered']>>((...args) => answer.answered(...args)),
    tooLarge: owned<Parameters<TenantResponse['tooLarge']>>((...args) => answer.tooLarge(...args)),
  }
}
