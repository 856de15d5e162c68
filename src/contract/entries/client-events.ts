import { z } from 'zod'
import { int } from './members.ts'

const CLIENT_DETACH_REASONS = [
  'CLIENT_LEFT',
  'CONNECTION_LOST',
  'CUT_OFF',
  'LINK_EXPIRED',
  'LINK_REVOKED',
  'SESSION_ENDED',
] as const
export type ClientDetachReason = (typeof CLIENT_DETACH_REASONS)[number]

/** A CDP client. `clientId` counts those of the session, from 1. */
export const clientAttached = z.object({ clientId: int, name: z.string() })

export const clientDetached = z.object({
  clientId: int,
  name: z.string(),
  reason: z.enum(CLIENT_DETACH_REASONS),
  commandCount: int,
})
