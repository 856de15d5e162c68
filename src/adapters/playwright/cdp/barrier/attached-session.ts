import type { AutoAttach } from './auto-attach.ts'
import type { PausedTarget, HoldingSession } from './paused-target.ts'

/** The barrier's view of a CDP session. */
export interface AttachedSession extends HoldingSession {
  readonly target: KnownTarget
  readonly parent: AttachedSession | null
  readonly children: Set<AttachedSession>
  autoAttach: AutoAttach | null
}

export interface KnownTarget {
  readonly id: string
  readonly type: string
  readonly sessions: Set<AttachedSession>
  held: PausedTarget | null
  /** When it was first paused for an owner, on the clock of performance.now; null: it never was. */
  waitsSince: number | null
  /** It was held, and the browser was told to resume it. */
  isReleased: boolean
}
