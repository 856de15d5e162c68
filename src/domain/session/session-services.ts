import type { Logger } from 'pino'
import type { BrowserPool } from '../../ports/browser/browser.ts'
import type { SessionEgress } from '../../ports/egress/session-egress.ts'
import type { Store } from '../../ports/store/store.ts'
import type { Artifacts } from '../artifacts/artifacts.ts'
import type { Bodies } from '../bodies/bodies.ts'
import type { SessionDeadlines } from './browser-lease.ts'
import type { HarSource } from '../exports/har.ts'
import type { LogLimits } from '../log/writing/log-limits.ts'
import type { SessionSnapshot } from '../log/entries/session-snapshot.ts'

/** Services shared by all sessions of this process. */
export interface SessionServices {
  store: Store
  browsers: BrowserPool
  artifacts: Artifacts
  bodies: Bodies
  limits: LogLimits
  /** Source of data for HARs of logs. */
  har: HarSource
  deadlines: SessionDeadlines
  /** How long the session waited in the queue of several machines; absent: it was created by the clock of this machine. */
  waitedMs?: number
  logger: Logger
  /** Human-readable reason why a page of such a session may not open a URL; null if it may. */
  refuseAddress(url: string, egress: SessionEgress | null): string | null
  /** The log has grown: wakes its followers. */
  publish(sessionId: string): void
  /** The session has changed: notifies the followers of sessionChanged. */
  announce(snapshot: SessionSnapshot): void
}
