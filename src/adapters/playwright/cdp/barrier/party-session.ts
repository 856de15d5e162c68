import type { AutoAttach } from './auto-attach.ts'
import type { PausedTarget, HoldingSession } from './paused-target.ts'

/** The barrier's view of a CDP session. */
export interface PartySession extends HoldingSession {
  readonly target: KnownTarget
  readonly parent: PartySession | null
  readonly children: Set<PartySession>
  autoAttach: AutoAttach | null
}

export interface KnownTarget {
  readonly id: string
  readonly type: string
  readonly sessions: Set<PartySession>
  held: PausedTarget | null
  /** When it was first paused for a party, on the clock of performance.now; null: it never was. */
  waitsSince: number | null
  /** It was held, and the browser was told to resume it. */
  isReleased: boolean
}
