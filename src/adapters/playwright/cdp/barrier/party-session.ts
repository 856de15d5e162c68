import type { AutoAttach } from './auto-attach.ts'
import type { PausedTarget, HoldingSession } from './paused-target.ts'

/** A session of the protocol, as far as the barrier knows it. */
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
  /** Since when it waits for a party, on the clock of performance.now; null: it never did. */
  waitsSince: number | null
  /** It was held, and the browser has been told to let it run. */
  isReleased: boolean
}
