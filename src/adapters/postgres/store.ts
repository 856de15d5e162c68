import { drizzle } from 'drizzle-orm/node-postgres'
import { currentReader } from '../../async/current-reader.ts'
import type { DatabaseConfig } from '../../config.ts'
import { StoreFull } from '../../ports/store/store-errors.ts'
import type { Store } from '../../ports/store/store.ts'
import { createApiKeyStore } from './access/api-key-store.ts'
import { createArtifactRows } from './artifacts/artifact-rows.ts'
import { createBodyRows } from './artifacts/body-rows.ts'
import type { DatabaseWatch } from './connection/database-watch.ts'
import { createEntryStore } from './entries/entry-store.ts'
import { createMachineRows } from './machines/machine-rows.ts'
import { migrateDatabase } from './connection/migrate.ts'
import { openDatabase, type DatabaseEnvironment } from './connection/open-database.ts'
import { createProfileStore } from './access/profile-store.ts'
import { ReadSemaphore } from './connection/read-semaphore.ts'
import { createRetention } from './sessions/retention.ts'
import { createSessionStore } from './sessions/session-store.ts'
import { createStartRows } from './sessions/start-rows.ts'
import { createTaskStore } from './tasks/task-store.ts'
import { UnreadableEntries } from './entries/unreadable-entries.ts'
import { createUploadClaims } from './artifacts/upload-claims.ts'

/** Connections of the pool that reads leave free; if there is only one, one read at a time may use it. */
const CONNECTIONS_BESIDE_READS = 4

/**
 * Opens the database, migrates its tables and returns the store. Rejects with DatabaseUnusable, whose message is one
 * line for people.
 */
export async function openStore(config: DatabaseConfig, environment: DatabaseEnvironment): Promise<Store> {
  await using opening = new AsyncDisposableStack()
  const database = opening.adopt(await openDatabase(config, environment), (opened) => opened.close())
  await migrateDatabase(database)
  opening.move()

  const { pool, watch } = database
  let closing: Promise<void> | null = null
  const db = drizzle(pool)
  const semaphore = new ReadSemaphore(Math.max(1, pool.options.max - CONNECTIONS_BESIDE_READS))
  const sessions = createSessionStore(pool, db, semaphore)
  const calls: StoreCalls = {
    ...sessions,
    ...createStartRows(pool, db, sessions),
    ...createEntryStore(pool, semaphore, new UnreadableEntries(environment.logger)),
    ...createApiKeyStore(db),
    ...createArtifactRows(pool, db),
    ...createBodyRows(pool),
    ...createUploadClaims(pool, db),
    ...createProfileStore(db),
    ...createTaskStore(db),
    ...createRetention(database),
  }
  return {
    ...guarded(calls, semaphore, watch, environment.hasSpace ?? (() => true)),
    machines: createMachineRows(database.leasePool),
    ping: () => watch.check(),
    describe: () => database.describe(),
    close: () => (closing ??= database.close()),
  }
}

type StoreCalls = Omit<Store, 'machines' | 'ping' | 'describe' | 'close'>

type Read = Extract<keyof StoreCalls, `${'find' | 'list' | 'count' | 'read' | 'sum' | 'describe'}${string}`>

/** The calls whose data grows without limit, and would fill the disk to the last byte. */
const IS_LARGE: Record<Exclude<keyof StoreCalls, Read>, boolean> = {
  insertSession: true,
  append: true,
  patchSession: false,
  queueSession: true,
  claimStart: false,
  releaseStart: false,
  releaseLostStarts: false,
  deleteStarts: false,
  deleteEndedBefore: false,
  insertApiKey: false,
  revokeApiKey: false,
  touchApiKey: false,
  setApiKeyScopes: false,
  deleteExpiredApiKeys: false,
  insertArtifact: true,
  deleteArtifact: false,
  referToBody: true,
  insertBody: true,
  deleteUnusedBodies: false,
  forgetBodies: false,
  claimUpload: false,
  releaseUpload: false,
  deleteUploadClaims: false,
  saveProfile: true,
  deleteProfile: false,
  insertTask: true,
  updateTask: false,
}

/**
 * Reads without a turn of their own here: some take one per step, and the lookup of a key serves many callers at once,
 * none of which may delay or cancel it.
 */
const TAKES_NO_TURN: ReadonlySet<string> = new Set<Read>([
  'listSessions',
  'countSessions',
  'readEntries',
  'countEntries',
  'findApiKey',
  'findApiKeyByHash',
  'findApiKeys',
])

const isRead = (name: string) => /^(find|list|count|read|sum|describe)/.test(name)

/** Whether it ends a log: a few entries, for which a part of the reserve is kept. */
const isEnd = (name: string, parameters: unknown[]) =>
  name === 'append' && ((parameters as Parameters<Store['append']>)[3]?.endedAt ?? null) !== null

/**
 * No call waits for a hanging database, none uses the disk space that it needs to work, and many reads of one owner delay
 * neither other owners nor an append.
 */
function guarded(
  calls: StoreCalls,
  semaphore: ReadSemaphore,
  watch: DatabaseWatch,
  hasSpace: NonNullable<DatabaseEnvironment['hasSpace']>,
): StoreCalls {
  const isLarge = new Set(Object.entries(IS_LARGE).flatMap(([name, large]) => (large ? [name] : [])))
  const guard = ([name, call]: [string, (...parameters: unknown[]) => Promise<unknown>]) => {
    if (isRead(name) && !TAKES_NO_TURN.has(name)) {
      const read = (...parameters: unknown[]) => {
        const reader = currentReader()
        const ask = () => call(...parameters)
        return watch.guard(() => (reader ? semaphore.take(reader.name, ask, reader.signal ?? undefined) : ask()))
      }
      return [name, read]
    }
    if (!isLarge.has(name)) return [name, (...parameters: unknown[]) => watch.guard(() => call(...parameters))]
    const write = async (...parameters: unknown[]) => {
      if (!(await hasSpace(isEnd(name, parameters))))
        throw new StoreFull(new Error('the rest is kept for the database itself'))
      return watch.guardWrite(() => call(...parameters))
    }
    return [name, write]
  }
  return Object.fromEntries(Object.entries(calls).map((entry) => guard(entry as never))) as StoreCalls
}
