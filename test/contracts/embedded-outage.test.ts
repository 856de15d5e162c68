import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { mkdtemp, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Worker } from 'node:worker_threads'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { WATCH_TIMING } from '../../src/adapters/postgres/connection/database-watch.ts'
import { RESTART_TIMING } from '../../src/adapters/postgres/embedded/embedded-database.ts'
import { openDatabase } from '../../src/adapters/postgres/connection/open-database.ts'
import { openStore } from '../../src/adapters/postgres/store.ts'
import { createLogger } from '../../src/logger.ts'
import { StoreFull, StoreUnavailable } from '../../src/ports/store/store-errors.ts'
import type { Store } from '../../src/ports/store/store.ts'
import { seedEmbeddedDatabase } from '../support/embedded-template.ts'
import { consoleMessage, insertWith, numbered, readAll, statusChange } from './store-samples.ts'

const logger = createLogger('silent')
const EMBEDDED = { kind: 'embedded' } as const
const QUICK_RESTARTS = { ...RESTART_TIMING, firstDelayMs: 20, lastDelayMs: 100 }
const EVERYTHING = { kinds: null }

const untilItAnswers = async (store: Store) => {
  await expect.poll(() => store.ping().then(() => 'answers', String), { timeout: 60_000 }).toBe('answers')
}

describe('the embedded database', { timeout: 120_000 }, () => {
  let dataDir: string
  let workers: Worker[]
  const onWorker = (message: unknown) => workers.push((message as { worker: Worker }).worker)
  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'tw-outage-'))
    await seedEmbeddedDatabase(dataDir, { isDurable: true })
    workers = []
    subscribe('worker_threads', onWorker)
  })
  afterEach(async () => {
    unsubscribe('worker_threads', onWorker)
    await rm(dataDir, { recursive: true, force: true })
  })

  test('whose thread ends is restarted, with everything that was committed', async () => {
    const onLost = vi.fn<(error: Error) => void>()
    const store = await openStore(EMBEDDED, { dataDir, logger, onLost, restartTiming: QUICK_RESTARTS })
    const { session, entries } = await insertWith(store, [statusChange])
    for (let round = 0; round < 3; round += 1) {
      await workers.at(-1)!.terminate()
      await untilItAnswers(store)
      expect(workers).toHaveLength(round + 2)
    }
    expect(await readAll(store, session.id, EVERYTHING)).toEqual(entries)
    expect(await store.append(session.id, 1, numbered([consoleMessage('after')], 1))).toEqual({ kind: 'committed' })
    expect(onLost).not.toHaveBeenCalled()
    await store.close()
  })

  test('that panics acknowledges nothing more, says why, and works again once it can be opened', async () => {
    const database = await openDatabase(EMBEDDED, { dataDir, logger, restartTiming: QUICK_RESTARTS })
    const { pool, watch } = database
    await pool.query('create table kept (number int)')
    await pool.query('insert into kept values (1)')
    // The backend panics in this way when the disk has no room for the write-ahead log.
    const log = join(dataDir, 'database', 'pg_wal')
    await rename(log, `${log}-away`)
    const outcomes: boolean[] = []
    const insert = async () => {
      const outcome = await pool.query('insert into kept values (2)').then(
        () => true,
        () => false,
      )
      outcomes.push(outcome)
    }
    await Promise.all([pool.query('select pg_switch_wal()').catch(() => {}), insert(), insert(), insert()])
    await expect.poll(() => watch.problem, { timeout: 60_000 }).toMatch(/being restarted: .*pg_wal/)
    await expect(watch.check()).rejects.toThrow(StoreUnavailable)
    await rename(`${log}-away`, log)
    await expect.poll(() => watch.check().then(() => 'answers', String), { timeout: 60_000 }).toBe('answers')
    const { rows } = await pool.query<{ number: number }>('select number from kept where number = 2')
    expect(rows.length).toBeGreaterThanOrEqual(outcomes.filter(Boolean).length)
    expect((await pool.query('select from kept where number = 1')).rowCount).toBe(1)
    await database.close()
  })

  test('that stands still fails every call, is restarted, and keeps what was committed', async () => {
    const watchTiming = { ...WATCH_TIMING, tickMs: 50, awayTicks: 10, deadTicks: 40 }
    const database = await openDatabase(EMBEDDED, { dataDir, logger, watchTiming, restartTiming: QUICK_RESTARTS })
    const { pool, watch } = database
    await pool.query('create table kept (number int)')
    const hanging = pool.query('select pg_sleep(600)').then(
      () => 'done',
      () => 'broken off',
    )
    const waiting = watch.guard(() => pool.query('select 1'))
    await expect(waiting).rejects.toThrow(StoreUnavailable)
    await expect(watch.guard(() => pool.query('select 1'))).rejects.toThrow('the database does not answer')
    expect(await hanging).toBe('broken off')
    await expect.poll(() => watch.problem, { timeout: 60_000 }).toBeNull()
    expect((await pool.query('select * from kept')).rowCount).toBe(0)
    expect(workers.length).toBeGreaterThanOrEqual(2)
    await database.close()
  })

  test('whose directory is gone is not replaced by an empty one: it is lost', async () => {
    const onLost = vi.fn<(error: Error) => void>()
    const store = await openStore(EMBEDDED, { dataDir, logger, onLost, restartTiming: QUICK_RESTARTS })
    await rename(join(dataDir, 'database'), join(dataDir, 'elsewhere'))
    await expect.poll(() => onLost.mock.calls[0]?.[0].message, { timeout: 60_000 }).toBe('its directory is gone')
    await expect(store.ping()).rejects.toThrow(StoreUnavailable)
    await store.close()
    expect(onLost).toHaveBeenCalledOnce()
  })

  test('that cannot be opened for long is lost', async () => {
    const onLost = vi.fn<(error: Error) => void>()
    const store = await openStore(EMBEDDED, {
      dataDir,
      logger,
      onLost,
      restartTiming: { ...QUICK_RESTARTS, giveUpMs: 1_000 },
    })
    await rename(join(dataDir, 'database', 'global'), join(dataDir, 'elsewhere'))
    await workers[0]!.terminate()
    await expect.poll(() => onLost.mock.calls.length, { timeout: 60_000 }).toBe(1)
    await store.close()
  })

  test('is closed in the midst of a restart', async () => {
    const store = await openStore(EMBEDDED, { dataDir, logger, restartTiming: QUICK_RESTARTS })
    const { session, entries } = await insertWith(store, [statusChange])
    await workers[0]!.terminate()
    await store.close()
    const next = await openStore(EMBEDDED, { dataDir, logger })
    expect(await readAll(next, session.id, EVERYTHING)).toEqual(entries)
    await next.close()
  })

  test('keeps the rest of a disk for itself: what grows without end is refused, and reading goes on', async () => {
    let space = true
    const store = await openStore(EMBEDDED, { dataDir, logger, hasSpace: () => space })
    const { session, entries } = await insertWith(store, [statusChange])
    const batch = numbered([consoleMessage('late')], 1)
    space = false
    await expect(store.append(session.id, 1, batch)).rejects.toThrow(StoreFull)
    expect(await readAll(store, session.id, EVERYTHING)).toEqual(entries)
    space = true
    expect(await store.append(session.id, 1, batch)).toEqual({ kind: 'committed' })
    await store.close()
  })
})
