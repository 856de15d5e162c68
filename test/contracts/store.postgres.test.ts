import { randomBytes, randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DatabaseUnusable } from '../../src/adapters/postgres/connection/open-database.ts'
import { openStore } from '../../src/adapters/postgres/store.ts'
import { KIND_CODES } from '../../src/adapters/postgres/base/tables.ts'
import { ENTRY_VERSION } from '../../src/contract/entries/upgrades.ts'
import { createLogger } from '../../src/logger.ts'
import {
  SESSION_EVENT_KINDS,
  type EntryDraft,
  type LogEntry,
  type SessionEventKind,
} from '../../src/ports/log/log-entry.ts'
import { StoreUnavailable } from '../../src/ports/store/store-errors.ts'
import type { Scope } from '../../src/ports/access/scope.ts'
import { startPostgres, type TestPostgres } from '../support/databases.ts'
import { describeStore } from './store.contract.ts'
import {
  consoleMessage,
  insertWith,
  networkRequest,
  numbered,
  readAll,
  sampleApiKey,
  sampleSession,
  statusChange,
} from './store-samples.ts'

const logger = createLogger('silent')
const open = (url: string) => openStore({ kind: 'server', url }, { dataDir: '/nonexistent', logger })

describe('the store on a PostgreSQL server', () => {
  describeStore(async () => {
    const server = await startPostgres()
    const store = await open(server.url)
    return {
      store,
      close: async () => {
        await store.close()
        await server.close()
      },
    }
  })
})

describe('a PostgreSQL server', () => {
  let server: TestPostgres
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(() => server.close())

  const withClient = async (use: (client: pg.Client) => Promise<unknown>) => {
    const client = new pg.Client({ connectionString: server.url })
    await client.connect()
    try {
      await use(client)
    } finally {
      await client.end()
    }
  }

  test('is migrated once by servers that start at the same time', async () => {
    const stores = await Promise.all([open(server.url), open(server.url), open(server.url)])
    const { session, entries } = await insertWith(stores[0], [statusChange])
    expect(await readAll(stores[2], session.id, { kinds: null })).toEqual(entries)
    await Promise.all(stores.map((store) => store.close()))
  })

  test('that goes away makes every call fail as unavailable, and is used again when it is back', async () => {
    const store = await open(server.url)
    const { session } = await insertWith(store, [statusChange])
    await server.stop()
    const batch = numbered([consoleMessage('kept')], 1)
    const calls = () => [
      store.append(session.id, 1, batch),
      store.readEntries({ sessionId: session.id, filter: { kinds: null }, direction: 'forward', limit: 1 }),
      store.countEntries({ sessionId: session.id, filter: { kinds: null }, after: 0 }),
      store.findSession(session.id),
      store.listSessions({ owner: session.owner, filter: {}, direction: 'forward', limit: 1 }),
      store.insertSession(sampleSession(), []),
      store.patchSession(session.id, { title: 'x' }),
      store.insertApiKey(sampleApiKey()),
      store.deleteEndedBefore(1),
      store.ping(),
    ]
    for (let round = 0; round < 2; round++) {
      for (const outcome of await Promise.allSettled(calls())) {
        expect(outcome).toMatchObject({ status: 'rejected', reason: expect.any(StoreUnavailable) as unknown })
      }
    }
    await server.start()
    await store.ping()
    expect(await store.append(session.id, 1, batch)).toEqual({ kind: 'committed' })
    expect(await store.append(session.id, 1, batch)).toEqual({ kind: 'committed' })
    expect(await store.readHead(session.id)).toEqual({ lastSequence: 2, ended: false })
    await store.close()
  })

  test('reads entries of version 0.1, whose size was not kept, within about the bound in bytes', async () => {
    const store = await open(server.url)
    const texts = ['short', 'p'.repeat(30_000), '\u0001'.repeat(1000), randomBytes(12_000).toString('base64')]
    const { session, entries } = await insertWith(
      store,
      Array.from({ length: 40 }, (_, n) => consoleMessage(texts[n % 4]!)),
    )
    await withClient((client) =>
      client.query('update log_entries set bytes = null where session_id = $1', [session.id]),
    )
    const seen: LogEntry[] = []
    for (let after = 0, done = false; !done;) {
      const query = {
        sessionId: session.id,
        filter: { kinds: null },
        direction: 'forward',
        limit: 1000,
        after,
      } as const
      const step = await store.readEntries({ ...query, maxBytes: 100_000 })
      expect(JSON.stringify(step.entries).length).toBeLessThan(200_000)
      seen.push(...step.entries)
      after = step.scannedTo
      done = step.done
    }
    expect(seen).toEqual(entries)
    await store.close()
  })

  test('of version 0.1 keeps its logs, which are read as entries of today', async () => {
    const name = `before_${randomBytes(4).toString('hex')}`
    await withClient((client) => client.query(`create database ${name}`))
    const url = new URL(server.url)
    url.pathname = `/${name}`
    const client = new pg.Client({ connectionString: url.href })
    await client.connect()
    const migrations = new URL('../../drizzle/', import.meta.url)
    const journal = JSON.parse(await readFile(new URL('meta/_journal.json', migrations), 'utf8')) as {
      entries: { tag: string; when: number }[]
    }
    await client.query('create schema drizzle')
    await client.query(
      'create table drizzle.__drizzle_migrations (id serial primary key, hash text, created_at bigint)',
    )
    for (const { tag, when } of journal.entries.slice(0, 4)) {
      await client.query(await readFile(new URL(`${tag}.sql`, migrations), 'utf8'))
      await client.query('insert into drizzle.__drizzle_migrations (hash, created_at) values ($1, $2)', [tag, when])
    }
    const id = randomUUID()
    const written = JSON.parse(
      await readFile(new URL('../support/stored-entries/version-1.json', import.meta.url), 'utf8'),
    ) as Record<SessionEventKind, object[]>
    const rows = Object.entries(written).flatMap(([kind, samples]) =>
      samples.map((data) => ({ kind: kind as SessionEventKind, data })),
    )
    await client.query(
      `insert into sessions (id, owner, metadata, status, viewport_width, viewport_height, keep_alive,
         idle_timeout_seconds, max_duration_seconds, machine_id, created_at, last_activity_at, last_sequence)
       values ($1, 'ann', '{}', 'CLOSED', 1, 1, false, 1, 1, 'machine', now(), now(), $2)`,
      [id, rows.length],
    )
    for (const [index, { kind, data }] of rows.entries()) {
      await client.query(
        `insert into log_entries (session_id, sequence, at, kind, data) values ($1, $2, to_timestamp(1.5), $3, $4)`,
        [id, index + 1, KIND_CODES[kind], JSON.stringify(data)],
      )
    }
    await client.end()

    const store = await open(url.href)
    const entries = await readAll(store, id, { kinds: null })
    expect(entries).toMatchObject(rows.map((row, index) => ({ ...row, sequence: index + 1, at: 1500 })))
    const [old] = entries.filter((entry) => entry.kind === 'NETWORK_REQUEST')
    expect(old!.data).toMatchObject({ remoteAddress: null, timing: { queuedMs: null, dnsMs: 1 } })
    await store.close()
  })

  test('of before errors were counted has the counts of its entries', async () => {
    const store = await open(server.url)
    const levels = ['LOG', 'ERROR', 'ERROR'] as const
    const endings = [null, 'net::ERR_FAILED', 'session ended', 'the browser crashed'].flatMap((failure) =>
      [null, 399, 400].map((status) => ({ failure, status })),
    )
    const { session } = await insertWith(store, [
      ...levels.map((level) => consoleMessage('text', { level })),
      ...endings.map((ending, index) => networkRequest(index + 1, ending)),
    ])
    const counted = { consoleErrorCount: 2, failedRequestCount: 6 }
    expect(await store.findSession(session.id)).toMatchObject(counted)
    const migration = await readFile(new URL('../../drizzle/0012_error_counts.sql', import.meta.url), 'utf8')
    const [count] = migration.split('--> statement-breakpoint').slice(-1)
    await withClient(async (client) => {
      await client.query('update sessions set console_error_count = 0, failed_request_count = 0')
      await client.query(count!)
    })
    expect(await store.findSession(session.id)).toMatchObject(counted)
    await store.close()
  })

  test('of before requests had a content reads, filters, compares and rewrites them as before', async () => {
    const store = await open(server.url)
    const body = { contentType: null, sizeBytes: 1, truncated: 0, encoding: 'UTF8', inline: 'a', sha256: null } as const
    const requestHeaders = { 'x-of': 'a request' }
    const { session, entries } = await insertWith(store, [
      statusChange,
      networkRequest(1, { requestHeaders, responseBody: body, responseBodyOmitted: null }),
      networkRequest(2, { status: 500, url: 'http://127.0.0.1/failing' }),
    ])
    const { id } = session
    const whole = `data || content::jsonb`
    await withClient(async (client) => {
      const { rowCount } = await client.query(
        `update log_entries set data = ${whole}, content = null where session_id = $1 and content is not null`,
        [id],
      )
      expect(rowCount).toBe(2)
    })
    expect(await readAll(store, id, { kinds: null })).toEqual(entries)
    expect(await readAll(store, id, { kinds: null, network: { failedOnly: true } })).toEqual([entries[0], entries[2]])
    expect(await readAll(store, id, { kinds: null, network: { urlContains: 'data' } })).toEqual(entries.slice(0, 2))
    await store.patchSession(id, { status: 'CLOSED', endReason: 'TERMINATED', endedAt: 1 })
    for (let next = await store.forgetBodies(2, null); next;) next = await store.forgetBodies(2, next)
    const forgotten = { requestHeaders, responseBody: null, responseBodyOmitted: 'EXPIRED' }
    expect(await readAll(store, id, { kinds: null })).toMatchObject([{}, { data: forgotten }, entries[2]!])
    await store.close()
  })

  test('gives back what it was given, of every kind', async () => {
    const store = await open(server.url)
    const written = JSON.parse(
      await readFile(new URL(`../support/stored-entries/version-${ENTRY_VERSION}.json`, import.meta.url), 'utf8'),
    ) as Record<SessionEventKind, object[]>
    const drafts = Object.entries(written).map(([kind, [data]]) => ({ kind, at: 1500, data }) as EntryDraft)
    const { session, entries } = await insertWith(store, drafts)
    expect(await readAll(store, session.id, { kinds: null })).toEqual(entries)
    for (const kind of SESSION_EVENT_KINDS) {
      const ofKind = entries.filter((entry) => entry.kind === kind)
      expect(await readAll(store, session.id, { kinds: [kind] })).toEqual(ofKind)
    }
    await store.close()
  })

  test('whose connections are ended under a running statement is unavailable', async () => {
    const store = await open(server.url)
    const { session } = await insertWith(store, [])
    await withClient(async (client) => {
      await client.query('begin; lock table log_entries')
      const appending = store.append(session.id, 0, numbered([statusChange]))
      const outcome = appending.then(
        () => null,
        (error: unknown) => error,
      )
      const waiting = `select pid from pg_stat_activity where wait_event_type = 'Lock' and application_name = 'tabwire'`
      await expect.poll(async () => (await client.query(waiting)).rowCount).toBe(1)
      await client.query(`select pg_terminate_backend(pid) from (${waiting}) as waiting`)
      expect(await outcome).toBeInstanceOf(StoreUnavailable)
      await client.query('rollback')
    })
    expect(await store.append(session.id, 0, numbered([statusChange]))).toEqual({ kind: 'committed' })
    await store.close()
  })

  test('of before the scope KEYS keeps who could manage keys, and adds nobody', async () => {
    const store = await open(server.url)
    const scopesBefore: Scope[][] = [
      ['READ', 'WRITE', 'CONNECT', 'ADMIN'],
      ['READ', 'WRITE', 'CONNECT'],
      ['READ', 'ADMIN'],
    ]
    const keys = scopesBefore.map((scopes) => sampleApiKey({ scopes }))
    for (const key of keys) await store.insertApiKey(key)
    const migration = await readFile(new URL('../../drizzle/0005_keys_scope.sql', import.meta.url), 'utf8')
    // Twice: a key that has the scope does not get it again.
    for (let times = 0; times < 2; times += 1) await withClient((client) => client.query(migration))
    const scopesAfter = await Promise.all(keys.map(async ({ id }) => (await store.findApiKey(id))?.scopes))
    expect(scopesAfter).toEqual([
      ['READ', 'WRITE', 'CONNECT', 'KEYS', 'ADMIN'],
      ['READ', 'WRITE', 'CONNECT'],
      ['READ', 'ADMIN'],
    ])
    await store.close()
  })

  test('that a newer version has changed is refused', async () => {
    await (await open(server.url)).close()
    const add = (hash: string) =>
      withClient((client) =>
        client.query('insert into drizzle.__drizzle_migrations (hash, created_at) values ($1, 9999999999999)', [hash]),
      )
    await add('of the future')
    const opening = open(server.url)
    await expect(opening).rejects.toThrow(DatabaseUnusable)
    await expect(opening).rejects.toThrow(/^The database was changed by a newer version of Tabwire[^\n]+$/)
    await withClient((client) => client.query(`delete from drizzle.__drizzle_migrations where hash = 'of the future'`))
    await (await open(server.url)).close()
  })

  test('that cannot be reached is told in one line, without the password', async () => {
    const url = new URL(server.url)
    url.password = 'hunter2'
    url.pathname = '/nowhere'
    await expect(open(url.href)).rejects.toThrow(
      /^The database at [\w.]+:\d+\/nowhere cannot be reached: [^\n]*nowhere[^\n]*\.$/,
    )
    url.port = '1'
    const opening = open(url.href)
    await expect(opening).rejects.toThrow(DatabaseUnusable)
    await expect(opening).rejects.toThrow(
      /^The database at [\w.]+:1\/nowhere cannot be reached: [^\n]*ECONNREFUSED[^\n]*\.$/,
    )
    await expect(opening).rejects.not.toThrow(/hunter2/)
  })
})
