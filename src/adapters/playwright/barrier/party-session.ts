import type { AutoAttach } from './auto-attach.ts'
import type { HeldTarget } from './held-target.ts'

/** Who has sessions with the browser: the server itself, or one client. Told apart by identity. */
export type Party = object

/** A session of the protocol, as far as the barrier knows it. */
export interface PartySession {
  /** Null: of the connection itself, which has none. */
  readonly id: string | null
  readonly party: Party
  readonly target: KnownTarget
  readonly parent: PartySession | null
  readonly children: Set<PartySession>
  autoAttach: AutoAttach | null
  /** It was not told of a target that it had asked to hold: it counts as a holder again once it is told of one. */
  misses: boolean
}

export interface KnownTarget {
  readonly id: string
  readonly type: string
  readonly sessions: Set<PartySession>
  held: HeldTarget | null
  /** Since when it waits for a party, on the clock of performance.now; null: it never did. */
  waitsSince: number | null
  /** It was held, and the browser has been told to let it run. */
  isReleased: boolean
}
