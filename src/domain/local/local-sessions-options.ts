import type { Logger } from 'pino'
import type { BrowserPool } from '../../ports/browser/browser.ts'
import type { Bus } from '../../ports/machines/bus.ts'
import type { CaptureOptions } from '../../ports/browser/capture.ts'
import type { RedactionRules } from '../../ports/sessions/redaction.ts'
import type { Store } from '../../ports/store/store.ts'
import type { Artifacts } from '../artifacts/artifacts.ts'
import type { Bodies } from '../bodies/bodies.ts'
import type { HarSource } from '../exports/har.ts'
import type { LogLimits } from '../log/writing/log-limits.ts'
import type { MachineLease } from '../machines/machines.ts'
import type { Profiles } from '../profiles/profiles.ts'
import type { SessionDeadlines } from '../session/browser-lease.ts'
import type { ServerEgress } from '../sessions/input/egress-input.ts'
import type { StartCipher } from '../starts/start-cipher.ts'
import type { AgentTasks } from '../tasks/agent-tasks.ts'

/** Dependencies and limits of this process's sessions. */
export interface LocalSessionsOptions {
  store: Store
  browsers: BrowserPool
  artifacts: Artifacts
  bodies: Bodies
  tasks: AgentTasks
  profiles: Profiles
  bus: Bus
  logger: Logger
  machine: MachineLease
  maxSessions: number
  maxQueued: number
  limits: LogLimits
  har: HarSource
  /** The maximum that sessions may reach. */
  egress: ServerEgress
  /** The maximum that sessions record of bodies, and what is masked in all logs. */
  captureBodies: CaptureOptions['bodies']
  redact: RedactionRules
  /** Throws StorageFull if there is no space for another session. */
  requireSpace?(): Promise<void>
  deadlines?: Partial<SessionDeadlines> | undefined
  /** On one of several machines: encrypts starts, which all of them share. */
  startCipher?: StartCipher | null
}
