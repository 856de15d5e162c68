import { afterAll, beforeAll } from 'vitest'
import { startTestPool, type TestPool } from '../adapters/playwright/test-pool.ts'
import { InProcessBus } from '../../src/adapters/bus/in-process.ts'
import { WorkerSchemas } from '../../src/adapters/json-schema/worker-schemas.ts'
import { AgentTasks } from '../../src/domain/tasks/agent-tasks.ts'
import { Artifacts } from '../../src/domain/artifacts/artifacts.ts'
import { Bodies } from '../../src/domain/bodies/bodies.ts'
import { BodyCipher } from '../../src/domain/bodies/body-cipher.ts'
import { LogReader } from '../../src/domain/log/reading/log-reader.ts'
import type { LocalSessionHandle } from '../../src/domain/local/local-session-handle.ts'
import { SoleMachine } from '../../src/domain/machines/sole-machine.ts'
import { LocalSessionDirectory } from '../../src/domain/local/local-session-directory.ts'
import { ProfileCipher } from '../../src/domain/profiles/profile-cipher.ts'
import { Profiles } from '../../src/domain/profiles/profiles.ts'
import type { SessionSnapshot } from '../../src/domain/log/entries/session-snapshot.ts'
import { createLogger } from '../../src/logger.ts'
import type { ArtifactStore } from '../../src/ports/artifacts/artifact-store.ts'
import type { ChatModel } from '../../src/ports/tasks/chat-model.ts'
import type { LogEntry } from '../../src/ports/log/log-entry.ts'
import { NO_REDACTION } from '../../src/ports/sessions/redaction.ts'
import type { Store } from '../../src/ports/store/store.ts'
import { ALL, readAll, store } from './session-log.ts'

export const OWNER = 'ann'
const NEVER = new AbortController().signal
const logger = createLogger('silent')
const LIMITS = {
  maxEntries: 1_000_000,
  maxQueuedEntries: 100_000,
  maxQueuedBytes: 64 * 1024 * 1024,
  maxTailEntries: 2000,
  maxTailBytes: 1024 * 1024,
}

interface LiveOptions {
  /** Artifact store. Absent: sessions keep no files. */
  bytes?: ArtifactStore
  quotaBytes?: number
  model?: ChatModel | null
}

/**
 * Call after useStore: sessions with real browsers over the real database, without transports, so that a test can
 * inject faults between a session and its services.
 */
export function useLiveSessions() {
  let pool: TestPool | undefined
  const directories: LocalSessionDirectory[] = []

  beforeAll(async () => {
    pool = await startTestPool({ warm: 0 })
  })

  afterAll(async () => {
    await Promise.all(directories.map((sessions) => sessions.close(1_000)))
    await pool?.close()
  })

  return {
    /** Main processes of the running browsers. */
    browsers: () => pool!.browsers(),

    /** The sessions of a server that uses this store. */
    sessionsOver(faulty: Store, { bytes = {} as ArtifactStore, model = null, quotaBytes = 0 }: LiveOptions = {}) {
      const bus = new InProcessBus()
      const artifacts = new Artifacts(faulty, bytes, quotaBytes, logger)
      const sessions = new LocalSessionDirectory({
        store: faulty,
        browsers: pool!.pool,
        artifacts,
        bodies: new Bodies({ store: faulty, bytes, cipher: new BodyCipher([]), quotaBytes, logger }),
        tasks: new AgentTasks(faulty, model, new WorkerSchemas(), logger),
        profiles: new Profiles(faulty, new ProfileCipher(['0'.repeat(64)])),
        bus,
        logger,
        machine: new SoleMachine(crypto.randomUUID(), '0.0.0'),
        maxSessions: 10,
        maxQueued: 0,
        limits: LIMITS,
        har: { store: faulty, readBody: async () => null },
        egress: { mode: 'OPEN' as const, allow: [] },
        captureBodies: 'ALL' as const,
        redact: NO_REDACTION,
        deadlines: { launch: 600_000 },
      })
      directories.push(sessions)
      const reader = new LogReader(store, bus, (id) => sessions.handle(id), { pollMs: 20, progressMs: 10 })
      return {
        sessions,
        /** The log of a session, for faults that cannot be caused otherwise. */
        logOf: async (id: string) => ((await sessions.handle(id)) as LocalSessionHandle).session.log,
        start: () => sessions.start(OWNER, {}, 'RUNNING', NEVER),
        /** Like `start`, but before its browser is started. */
        begin: () => sessions.start(OWNER, {}, 'CREATING', NEVER),
        find: async (id: string) => (await sessions.find(OWNER, id))!,
        follow: (session: SessionSnapshot): Promise<LogEntry[]> =>
          readAll(reader.follow(session, { after: null, filter: ALL }, NEVER)),
      }
    },
  }
}
