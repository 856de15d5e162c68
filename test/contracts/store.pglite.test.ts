import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { randomUUID } from 'node:crypto'
import { existsSync, readdirSync } from 'node:fs'
import { mkdir, mkdtemp, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Worker } from 'node:worker_threads'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { asStoreError } from '../../src/adapters/postgres/base/database-errors.ts'
import { maintain } from '../../src/adapters/postgres/embedded/embedded-maintenance.ts'
import { DatabaseUnusable, openDatabase } from '../../src/adapters/postgres/connection/open-database.ts'
import { openStore } from '../../src/adapters/postgres/store.ts'
import { createLogger } from '../../src/logger.ts'
import { StoreUnavailable } from '../../src/ports/store/store-errors.ts'
import { seedEmbeddedDatabase } from '../support/embedded-template.ts'
import { describeStore } from './store.contract.ts'
import { insertWith, numbered, readAll, statusChange } from './store-samples.ts'

const logger = createLogger('silent')
const EMBEDDED = { kind: 'embedded' } as const
const temporary = () => mkdtemp(join(tmpdir(), 'tw-store-'))
const socketDirectories = () => readdirSync(tmpdir()).filter((name) => name.startsWith(`tabwire-db-${process.pid}-`))

describe('the store on the embedded database', () => {
  describeStore(async () => {
    const dataDir = await temporary()
    await seedEmbeddedDatabase(dataDir, { isDurable: true })
    const store = await openStore(EMBEDDED, { dataDir, logger })
    return {
      store,
      close: async () => {
        await store.close()
        await rm(dataDir, { recursive: true })
      },
    }
  })
})

// Each starts a database or two, which takes seconds of CPU time that other tests need as well.
describe('the embedded database', { timeout: 120_000 }, () => {
  let dataDir: string
  beforeEach(async () => {
    dataDir = await temporary()
  })
  afterEach(() => rm(dataDir, { recursive: true, force: true }))

  test('keeps what was committed over a kill -9 in the midst of writing', async () => {
    await seedEmbeddedDatabase(dataDir, { isDurable: true })
    const writer = spawn(process.execPath, [join(import.meta.dirname, 'store-writer.ts'), dataDir], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const reported: string[] = []
    for await (const line of createInterface(writer.stdout)) {
      reported.push(line)
      if (reported.length === 300) writer.kill('SIGKILL')
    }
    if (writer.exitCode === null && writer.signalCode === null) await once(writer, 'exit')
    const acknowledged = Number(reported.at(-1))

    const store = await openStore(EMBEDDED, { dataDir, logger })
    const head = await store.readHead(reported[0]!)
    expect(head!.lastSequence).toBeGreaterThanOrEqual(acknowledged)
    const entries = await readAll(store, reported[0]!, { kinds: null })
    expect(entries.map(({ sequence }) => sequence)).toEqual(entries.map((_, index) => index + 1))
    expect(entries).toHaveLength(head!.lastSequence)
    expect(await store.append(reported[0]!, head!.lastSequence, numbered([statusChange], head!.lastSequence))).toEqual({
      kind: 'committed',
    })
    await store.close()
    // The socket of the killed one is gone as well.
    expect(readdirSync(tmpdir()).filter((name) => name.startsWith(`tabwire-db-${writer.pid}-`))).toEqual([])
  })

  test("keeps everything over an orderly end, behind a socket that is nobody else's", async () => {
    await seedEmbeddedDatabase(dataDir, { isDurable: true })
    const first = await openStore(EMBEDDED, { dataDir, logger })
    const [socket] = socketDirectories()
    expect((await stat(join(tmpdir(), socket!))).mode & 0o777).toBe(0o700)
    const { session, entries } = await insertWith(first, [statusChange])
    await first.close()
    await first.close()
    await expect(first.ping()).rejects.toThrow(StoreUnavailable)
    expect(socketDirectories()).toEqual([])
    const second = await openStore(EMBEDDED, { dataDir, logger })
    expect(await readAll(second, session.id, { kinds: null })).toEqual(entries)
    await second.close()
  })

  test('starts over after a first start that was interrupted', async () => {
    await mkdir(join(dataDir, 'database', 'base'), { recursive: true })
    await writeFile(join(dataDir, 'database', 'PG_VERSION'), '18\n')
    const store = await openStore(EMBEDDED, { dataDir, logger })
    expect(await store.countSessions('anyone', {})).toBe(0)
    await store.close()
  })

  test('says in one line that its directory cannot be used', async () => {
    const file = join(dataDir, 'file')
    await writeFile(file, '')
    const opening = openStore(EMBEDDED, { dataDir: file, logger })
    await expect(opening).rejects.toThrow(DatabaseUnusable)
    await expect(opening).rejects.toThrow(/^The embedded database in [^\n]*file cannot be opened: [^\n]+\.$/)
    expect(socketDirectories()).toEqual([])
  })

  test('says in one line that its files are damaged', async () => {
    await mkdir(join(dataDir, 'database'))
    await writeFile(join(dataDir, 'database', 'PG_VERSION'), '18\n')
    await writeFile(join(dataDir, 'database', 'tabwire-complete'), '')
    await expect(openStore(EMBEDDED, { dataDir, logger })).rejects.toThrow(/^The embedded database in [^\n]+$/)
    expect(socketDirectories()).toEqual([])
  })

  test('ends while a statement runs that does not, and keeps what was committed', async () => {
    await seedEmbeddedDatabase(dataDir, { isDurable: true })
    const database = await openDatabase(EMBEDDED, { dataDir, logger })
    await database.pool.query('create table kept as select 1 as one')
    const outcome = database.pool.query('select pg_sleep(600)').then(
      () => 'done',
      (error: unknown) => asStoreError(error),
    )
    // Queries still queued in the pool when it ends are never answered.
    await expect.poll(() => database.pool.idleCount).toBe(0)
    await database.close()
    expect(await outcome).toBeInstanceOf(StoreUnavailable)
    expect(socketDirectories()).toEqual([])
    const next = await openDatabase(EMBEDDED, { dataDir, logger })
    expect((await next.pool.query('select one from kept')).rows).toEqual([{ one: 1 }])
    await next.close()
  })

  test('fails the calls that it is at when it dies', async () => {
    await seedEmbeddedDatabase(dataDir, { isDurable: true })
    const workers: Worker[] = []
    const onWorker = (message: unknown) => workers.push((message as { worker: Worker }).worker)
    subscribe('worker_threads', onWorker)
    const database = await openDatabase(EMBEDDED, { dataDir, logger })
    unsubscribe('worker_threads', onWorker)
    const calls = ['select pg_sleep(600)', 'select 1'].map((text) =>
      database.pool.query(text).catch((error: unknown) => asStoreError(error)),
    )
    await workers[0]!.terminate()
    expect(await Promise.all(calls)).toEqual([expect.any(StoreUnavailable), expect.any(StoreUnavailable)])
    await database.close()
  })

  test('removes what a killed server left, and nothing that somebody beyond its sight still uses', async () => {
    await seedEmbeddedDatabase(dataDir, { isDurable: true })
    // Greater than any possible process id.
    const names = ['live', 'new', 'old'].map((kind) => `tabwire-db-99999999-${kind}-${randomUUID()}`)
    const [live, young, old] = names.map((name) => join(tmpdir(), name)) as [string, string, string]
    for (const directory of [live, young, old]) await mkdir(directory)
    await utimes(old, 1, 1)
    const server = createServer().listen(join(live, '.s.PGSQL.5432'))
    await once(server, 'listening')
    try {
      const store = await openStore(EMBEDDED, { dataDir, logger })
      await store.close()
      expect([live, young, old].map((directory) => existsSync(directory))).toEqual([true, true, false])
    } finally {
      server.close()
      for (const directory of [live, young, old]) await rm(directory, { recursive: true, force: true })
    }
  })

  test('is vacuumed, analyzed and checkpointed when it is due', async () => {
    await seedEmbeddedDatabase(dataDir, { isDurable: true })
    // Without space its own rounds do nothing, which would take what is due from those below.
    const database = await openDatabase(EMBEDDED, { dataDir, logger, hasSpace: () => false })
    const { pool } = database
    await pool.query('create table busy (text text)')
    await pool.query('alter table busy alter column text set storage external')
    expect(await maintain(pool)).toBeNull()
    // The database updates its statistics at its own pace, at most once a second.
    const eventually = (due: RegExp) =>
      vi.waitFor(async () => expect(await maintain(pool)).toMatch(due), { timeout: 60_000, interval: 300 })
    await pool.query(`insert into busy select 'x' from generate_series(1, 30000)`)
    await eventually(/^vacuum \(truncate false, analyze\) "busy"$/)
    await pool.query('delete from busy')
    await eventually(/^vacuum .*"busy"$/)
    await pool.query(`insert into busy select repeat('x', 1000000) from generate_series(1, 60)`)
    await eventually(/^checkpoint$/)
    expect(await maintain(pool)).toBeNull()
    await database.close()
  })
})
