import type { Logger } from 'pino'
import type { BrowserPool } from '../../ports/browser.ts'
import type { SessionEgress } from '../../ports/session-egress.ts'
import type { Store } from '../../ports/store.ts'
import type { Artifacts } from '../artifacts/artifacts.ts'
import type { Bodies } from '../bodies/bodies.ts'
import type { SessionDeadlines } from './browser-lease.ts'
import type { HarSource } from '../exports/har.ts'
import type { LogLimits } from '../log/log-limits.ts'
import type { SessionSnapshot } from '../log/session-snapshot.ts'

/** What every session of this process needs of the rest. */
export interface SessionServices {
  store: Store
  browsers: BrowserPool
  artifacts: Artifacts
  bodies: Bodies
  limits: LogLimits
  /** What HARs of logs are made of. */
  har: HarSource
  deadlines: SessionDeadlines
  logger: Logger
  /** Why a page of such a session may not open an address, for people; null: it may. */
  refuseAddress(url: string, egress: SessionEgress | null): string | null
  /** The log has grown: wake its followers. */
  publish(sessionId: string): void
  /** The session is not as it was: tell the followers of sessionChanged. */
  announce(snapshot: SessionSnapshot): void
}
