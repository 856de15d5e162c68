import { afterAll, beforeAll } from 'vitest'
import { startTestPool, type TestPool } from '../adapters/playwright/test-pool.ts'
import { InProcessBus } from '../../src/adapters/bus/in-process.ts'
import { WorkerSchemas } from '../../src/adapters/json-schema/worker-schemas.ts'
import { AgentTasks } from '../../src/domain/tasks/agent-tasks.ts'
import { Artifacts } from '../../src/domain/artifacts/artifacts.ts'
import { LogReader } from '../../src/domain/log/log-reader.ts'
import { ProfileSeal } from '../../src/domain/profiles/profile-cipher.ts'
import { Profiles } from '../../src/domain/profiles/profiles.ts'
import { SessionRegistry } from '../../src/domain/sessions/session-registry.ts'
import type { SessionSnapshot } from '../../src/domain/log/session-snapshot.ts'
import { createLogger } from '../../src/logger.ts'
import type { ArtifactStore } from '../../src/ports/artifact-store.ts'
import type { LogEntry } from '../../src/ports/log-entry.ts'
import type { Store } from '../../src/ports/store.ts'
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

/**
 * Call after useStore: sessions with real browsers over the real database, below the transports, so that a test can put
 * faults between a session and what it needs.
 */
export function useLiveSessions() {
  let pool: TestPool | undefined
  const registries: SessionRegistry[] = []

  beforeAll(async () => {
    pool = await startTestPool({ warm: 0 })
  })

  afterAll(async () => {
    await Promise.all(registries.map((registry) => registry.close(1_000)))
    await pool?.close()
  })

  return {
    /** Main processes of the browsers that run. */
    browsers: () => pool!.browsers(),

    /** A registry over this store. */
    registryOver(faulty: Store) {
      const bus = new InProcessBus()
      // No session of these tests keeps a file.
      const artifacts = new Artifacts(faulty, {} as ArtifactStore, 0, logger)
      const options = {
        machineId: crypto.randomUUID(),
        maxSessions: 10,
        maxQueued: 0,
        limits: LIMITS,
        egress: { mode: 'OPEN' as const, allow: [] },
        profiles: new Profiles(faulty, new ProfileSeal('of no session of these tests')),
      }
      const tasks = new AgentTasks(faulty, null, new WorkerSchemas(), logger)
      const registry = new SessionRegistry(faulty, pool!.pool, artifacts, tasks, bus, options, logger)
      registries.push(registry)
      const reader = new LogReader(store, bus, (id) => registry.liveLog(id), { pollMs: 20, progressMs: 10 })
      return {
        registry,
        start: () => registry.start(OWNER, {}, 'RUNNING', NEVER),
        find: async (id: string) => (await registry.find(OWNER, id))!,
        follow: (session: SessionSnapshot): Promise<LogEntry[]> =>
          readAll(reader.follow(session, { after: null, filter: ALL }, NEVER)),
      }
    },
  }
}
