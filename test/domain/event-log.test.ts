import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { InProcessBus } from '../../src/adapters/bus/in-process.ts'
import { openStore } from '../../src/adapters/postgres/store.ts'
import { CursorInvalid, decodeEntryCursor, encodeEntryCursor } from '../../src/domain/cursor.ts'
import type { FollowerTiming, LogBatch } from '../../src/domain/log-follower.ts'
import { LogReader } from '../../src/domain/log-reader.ts'
import { SessionLog, type LogLimits } from '../../src/domain/session-log.ts'
import type { SessionSnapshot } from '../../src/domain/session-snapshot.ts'
import { createLogger } from '../../src/logger.ts'
import type { EntryDraft, EntryFilter, LogEntry } from '../../src/ports/log-entry.ts'
import type { SessionRecord, Store } from '../../src/ports/store.ts'
import { faultyStore, type Fault } from '../support/faulty-store.ts'

/** The laws of the event log (DESIGN.md), against the real embedded database. */

const logger = createLogger('silent')
const LIMITS: LogLimits = {
  maxEntries: 1_000_000,
  maxQueuedEntries: 100_000,
  maxQueuedBytes: 64 * 1024 * 1024,
  maxTailEntries: 50,
  maxTailBytes: 1024 * 1024,
}
const TIMING: FollowerTiming = { pollMs: 20, progressMs: 10 }
const ALL: EntryFilter = { kinds: null }

let dataDir: string
let store: Store

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'tabwire-event-log-'))
  store = await openStore({ kind: 'embedded' }, { dataDir, logger })
})

afterAll(async () => {
  await store.close()
  await rm(dataDir, { recursive: true, force: true })
})

function newRecord(): SessionRecord {
  const now = Date.now()
  return {
    id: randomUUID(),
    owner: 'ann',
    name: null,
    metadata: {},
    status: 'RUNNING',
    endReason: null,
    error: null,
    viewport: { width: 800, height: 600 },
    userAgent: null,
    locale: null,
    timezone: null,
    keepAlive: false,
    idleTimeoutSeconds: 600,
    maxDurationSeconds: 3600,
    machineId: randomUUID(),
    idempotencyKey: null,
    inputHash: null,
    createdAt: now,
    startedAt: now,
    lastActivityAt: now,
    endedAt: null,
    currentUrl: null,
    title: null,
    navigationCount: 0,
    consoleMessageCount: 0,
    networkRequestCount: 0,
    lastSequence: 0,
  }
}

function line(text: string): EntryDraft<'CONSOLE_MESSAGE'> {
  const place = { url: null, line: null, column: null, stack: null, pageId: 'p1', truncated: 0 }
  return { kind: 'CONSOLE_MESSAGE', at: Date.now(), data: { level: 'LOG', source: 'CONSOLE', text, ...place } }
}

const navigation: EntryDraft = {
  kind: 'NAVIGATION',
  at: 0,
  data: { pageId: 'p1', url: 'http://127.0.0.1/', sameDocument: false },
}

const endDraft: EntryDraft<'STATUS_CHANGE'> = {
  kind: 'STATUS_CHANGE',
  at: 0,
  data: { from: 'RUNNING', to: 'CLOSED', endReason: 'TERMINATED', error: null },
}
const endPatch = { status: 'CLOSED', endReason: 'TERMINATED', endedAt: 1 } as const

/** A session's log with its readers, as the registry puts them together. */
async function newLog(options: { limits?: Partial<LogLimits>; writeStore?: Store; readStore?: Store } = {}) {
  const record = newRecord()
  await store.insertSession(record, [])
  const bus = new InProcessBus()
  const lost = vi.fn()
  const limits = { ...LIMITS, ...options.limits }
  const events = { committed: () => bus.publish(record.id), lost }
  const log = new SessionLog(options.writeStore ?? store, record, [], limits, events, logger)
  const reader = new LogReader(options.readStore ?? store, bus, (id) => (id === record.id ? log : null), TIMING)
  const session: SessionSnapshot = { ...record, pendingRequestCount: 0, expiresAt: null }
  const follow = (after: string | null = null, filter = ALL, signal = new AbortController().signal) =>
    reader.follow(session, { after, filter }, signal)
  return { record, session, log, bus, reader, follow, lost, end: () => log.end(endDraft, endPatch) }
}

async function readAll(followed: AsyncIterable<LogBatch>): Promise<LogEntry[]> {
  const entries: LogEntry[] = []
  for await (const batch of followed) entries.push(...batch.entries)
  return entries
}

async function history(sessionId: string): Promise<LogEntry[]> {
  const entries: LogEntry[] = []
  for (let after = 0, done = false; !done;) {
    const step = await store.readEntries({ sessionId, filter: ALL, direction: 'forward', after, limit: 1000 })
    entries.push(...step.entries)
    after = step.scannedTo
    done = step.done
  }
  return entries
}

const sequences = (entries: readonly LogEntry[]) => entries.map(({ sequence }) => sequence)
const oneTo = (n: number) => Array.from({ length: n }, (_, index) => index + 1)

describe('laws 1, 2 and 4: whatever happens, each follower sees exactly 1…n, and live equals history', () => {
  const fault = fc.constantFrom<Fault>('none', 'none', 'none', 'before', 'after')
  /** Small ones, and such as take several batches to commit and several steps to read. */
  const burst = fc.oneof(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 500, max: 2500 }))
  const writing = fc.array(fc.record({ burst, pauses: fc.nat(3) }), { maxLength: 8 })
  /** A follower reads some batches, stalls some turns, drops its subscription and resumes at its last cursor. */
  const reading = fc.array(fc.record({ batches: fc.integer({ min: 1, max: 4 }), stall: fc.nat(8) }), { maxLength: 6 })

  test('appends, followers that come, stall, drop and resume, a store that fails before and after committing', async () => {
    await fc.assert(
      fc.asyncProperty(
        writing,
        fc.array(reading, { minLength: 1, maxLength: 4 }),
        fc.array(fault),
        async (bursts, readers, faults) => {
          const { log, record, follow, end } = await newLog({ writeStore: faultyStore(store, ['append'], faults) })
          const followers = readers.map(async (moves) => {
            const seen: LogEntry[] = []
            let cursor: string | null = null
            for (const { batches, stall } of moves) {
              const followed = follow(cursor)
              for (let count = 0; count < batches; count += 1) {
                const { value } = await followed.next()
                if (!value) return seen
                seen.push(...value.entries)
                cursor = value.cursor
              }
              await followed.return()
              for (let count = 0; count < stall; count += 1) await turn()
            }
            seen.push(...(await readAll(follow(cursor))))
            return seen
          })
          let written = 0
          for (const { burst, pauses } of bursts) {
            for (let count = 0; count < burst; count += 1) log.append(line(`line ${(written += 1)}`))
            for (let count = 0; count < pauses; count += 1) await turn()
          }
          await end()
          const kept = await history(record.id)
          expect(sequences(kept)).toEqual(oneTo(written + 1))
          for (const seen of await Promise.all(followers)) expect(seen).toEqual(kept)
          const stored = await store.findSession(record.id)
          expect(stored).toMatchObject({ consoleMessageCount: written, lastSequence: written + 1, status: 'CLOSED' })
          expect(log.counts.consoleMessageCount).toBe(written)
        },
      ),
      { numRuns: 30 },
    )
  })

  test('a batch that another writer overtook is not written twice: the log is lost, loudly', async () => {
    const { log, record, lost } = await newLog()
    await store.append(record.id, 0, [{ ...navigation, sequence: 1 } as LogEntry])
    log.append(line('mine'))
    await log.flush()
    expect(lost).toHaveBeenCalledOnce()
    expect(sequences(await history(record.id))).toEqual([1])
  })
})

describe('law 4: following', () => {
  test('an empty log says at once that the reader has caught up', async () => {
    const { follow } = await newLog()
    const followed = follow()
    expect((await followed.next()).value).toMatchObject({ entries: [], live: true, dropped: 0 })
    await followed.return()
  })

  test('live is false while replaying and true from the end of the log on', async () => {
    const { log, follow } = await newLog()
    for (let count = 0; count < 1200; count += 1) log.append(line('old'))
    await log.flush()
    const followed = follow()
    const seen: [number, boolean][] = []
    while (seen.at(-1)?.[1] !== true) {
      const { value } = await followed.next()
      seen.push([value!.entries.length, value!.live])
    }
    expect(seen.reduce((sum, [count]) => sum + count, 0)).toBe(1200)
    expect(seen.length).toBeGreaterThan(2)
    log.append(line('new'))
    expect((await followed.next()).value).toMatchObject({ live: true, entries: [{ sequence: 1201 }] })
    await followed.return()
  })

  test('unsubscribing while idle frees everything at once', async () => {
    const { follow, bus } = await newLog()
    const unsubscribed = vi.fn()
    const subscribe = bus.subscribe.bind(bus)
    vi.spyOn(bus, 'subscribe').mockImplementation((id, listener) => {
      const dispose = subscribe(id, listener)
      return () => {
        unsubscribed()
        dispose()
      }
    })
    const followed = follow()
    await followed.next()
    const waiting = followed.next()
    await followed.return()
    expect(unsubscribed).toHaveBeenCalledOnce()
    expect(await waiting).toEqual({ done: true, value: undefined })
  })

  test('an aborted signal ends it', async () => {
    const { follow } = await newLog()
    const controller = new AbortController()
    const followed = follow(null, ALL, controller.signal)
    await followed.next()
    const waiting = followed.next()
    controller.abort()
    expect((await waiting).done).toBe(true)
  })

  test('a filter that lets nothing through still moves the cursor', async () => {
    const { log, record, follow } = await newLog()
    const followed = follow(null, { kinds: ['CONSOLE_MESSAGE'] })
    await followed.next()
    for (let count = 0; count < 40; count += 1) log.append(navigation)
    const { value } = await followed.next()
    expect(value).toMatchObject({ entries: [], live: true })
    expect(decodeEntryCursor(record.id, value!.cursor, 'after')).toBeGreaterThan(0)
    await followed.return()
  })

  test('a lost wake-up costs latency, not data', async () => {
    const { log, follow, bus } = await newLog()
    vi.spyOn(bus, 'publish').mockReturnValue()
    const followed = follow()
    await followed.next()
    log.append(line('unannounced'))
    expect((await followed.next()).value?.entries).toHaveLength(1)
    await followed.return()
  })

  test('it completes after the end, from any cursor, and always tells that it caught up', async () => {
    const { log, record, follow, end } = await newLog()
    for (let count = 0; count < 10; count += 1) log.append(line('x'))
    await end()
    for (const sequence of [0, 5, 11]) {
      const batches: LogBatch[] = []
      for await (const batch of follow(encodeEntryCursor(record.id, sequence))) batches.push(batch)
      expect(batches.flatMap((batch) => sequences(batch.entries))).toEqual(oneTo(11).slice(sequence))
      expect(batches.at(-1)?.live).toBe(true)
    }
  })

  test('a store that fails while a follower replays fails that follower, not the log', async () => {
    const { log, follow, record } = await newLog({
      limits: { maxTailEntries: 1 },
      readStore: faultyStore(store, ['readEntries'], ['before']),
    })
    for (let count = 0; count < 10; count += 1) log.append(line('x'))
    await log.flush()
    await expect(follow().next()).rejects.toThrow()
    log.append(line('y'))
    await log.flush()
    expect(await history(record.id)).toHaveLength(11)
  })
})

describe('law 5: a slow reader', () => {
  test('holds up nobody and misses nothing', async () => {
    const { log, follow, end } = await newLog()
    const slow = follow()
    await slow.next()
    const quick = readAll(follow())
    for (let count = 0; count < 3000; count += 1) log.append(line(`line ${count}`))
    await end()
    expect(sequences(await quick)).toEqual(oneTo(3001))
    expect(sequences(await readAll(slow))).toEqual(oneTo(3001))
  })

  test('live readers of a recent tail do not ask the store', async () => {
    const { log, reader, session, record } = await newLog()
    const readEntries = vi.spyOn(store, 'readEntries')
    const followed = reader.follow(session, { after: null, filter: ALL }, new AbortController().signal)
    await followed.next()
    for (let count = 0; count < 20; count += 1) {
      log.append(line(`line ${count}`))
      expect((await followed.next()).value?.entries).toHaveLength(1)
    }
    expect(readEntries.mock.calls.filter(([query]) => query.sessionId === record.id)).toEqual([])
    readEntries.mockRestore()
    await followed.return()
  })
})

describe('law 6: cursors', () => {
  test('malformed, of another session or beyond the end: CURSOR_INVALID', async () => {
    const [one, other] = [await newLog(), await newLog()]
    one.log.append(line('x'))
    await one.log.flush()
    for (const cursor of ['', 'x', encodeEntryCursor(other.record.id, 1), encodeEntryCursor(one.record.id, 2)]) {
      expect(() => one.follow(cursor)).toThrow(CursorInvalid)
      await expect(one.reader.page(one.session, { after: cursor, filter: ALL })).rejects.toThrow(CursorInvalid)
    }
  })

  test('one made by a page continues in a subscription, and the other way round', async () => {
    const { log, reader, session, follow, end } = await newLog()
    for (let count = 0; count < 30; count += 1) log.append(line(`line ${count}`))
    await end()
    const page = await reader.page(session, { first: 12, filter: ALL })
    expect(sequences(page.entries)).toEqual(oneTo(12))
    const followed = follow(page.endCursor)
    const { value } = await followed.next()
    expect(value?.entries[0]?.sequence).toBe(13)
    await followed.return()
    const rest = await reader.page(session, { first: 1000, after: value!.cursor, filter: ALL })
    expect(sequences([...page.entries, ...value!.entries, ...rest.entries])).toEqual(oneTo(31))
    expect(rest.hasNextPage).toBe(false)
  })
})

describe('law 7: nothing is lost quietly', () => {
  const countOf = (entries: readonly LogEntry[]) =>
    entries.reduce((sum, entry) => sum + (entry.kind === 'ENTRIES_DROPPED' ? entry.data.count : 0), 0)

  test('a flood above the queue becomes ENTRIES_DROPPED, in its place, and the sequence stays dense', async () => {
    const { log, record, follow, end } = await newLog({ limits: { maxQueuedEntries: 100 } })
    const seen = readAll(follow())
    for (let count = 0; count < 1000; count += 1) log.append(line(`line ${count}`))
    log.append(navigation)
    await end()
    const kept = await history(record.id)
    expect(sequences(kept)).toEqual(oneTo(kept.length))
    expect(await seen).toEqual(kept)
    const lines = kept.filter(({ kind }) => kind === 'CONSOLE_MESSAGE').length
    const dropped = kept.filter((entry) => entry.kind === 'ENTRIES_DROPPED')
    expect(lines + countOf(kept)).toBe(1001)
    expect(dropped).toHaveLength(1)
    expect(dropped[0]).toMatchObject({
      data: { reason: 'FLOOD', countsByKind: { CONSOLE_MESSAGE: 900, NAVIGATION: 1 } },
    })
    expect(kept.at(-1)).toMatchObject({ kind: 'STATUS_CHANGE' })
  })

  test('a store that is away longer than the queue holds: STORE_UNAVAILABLE, and all before it is kept', async () => {
    const away = faultyStore(store, ['append'], ['before', 'before', 'before'])
    const { log, record, end } = await newLog({ limits: { maxQueuedEntries: 10 }, writeStore: away })
    log.append(line('first'))
    // The first commit has failed when the queue is filled.
    await turn()
    for (let count = 0; count < 50; count += 1) log.append(line(`line ${count}`))
    await end()
    const kept = await history(record.id)
    expect(sequences(kept)).toEqual(oneTo(kept.length))
    expect(kept.filter(({ kind }) => kind === 'CONSOLE_MESSAGE').length + countOf(kept)).toBe(51)
    expect(kept.some((entry) => entry.kind === 'ENTRIES_DROPPED' && entry.data.reason === 'STORE_UNAVAILABLE')).toBe(
      true,
    )
  })

  test('a log at its limit goes on with few LOG_LIMIT markers that count everything; status is kept', async () => {
    const { log, record, end } = await newLog({ limits: { maxEntries: 100 } })
    for (let count = 0; count < 5000; count += 1) {
      log.append(line(`line ${count}`))
      if (count % 500 === 0) await turn()
    }
    await end()
    const kept = await history(record.id)
    expect(kept.filter(({ kind }) => kind === 'CONSOLE_MESSAGE')).toHaveLength(100)
    expect(countOf(kept)).toBe(4900)
    expect(kept.length).toBeLessThan(105)
    expect(kept.at(-1)?.kind).toBe('STATUS_CHANGE')
  })

  test('readers of other kinds are told what of theirs was dropped, not more', async () => {
    const { log, follow, end } = await newLog({ limits: { maxQueuedEntries: 10 } })
    for (let count = 0; count < 100; count += 1) log.append(line(`line ${count}`))
    log.append(navigation)
    await end()
    const dropped = async (kinds: EntryFilter['kinds']) => {
      let sum = 0
      for await (const batch of follow(null, { kinds })) sum += batch.dropped
      return sum
    }
    expect(await dropped(['CONSOLE_MESSAGE'])).toBe(90)
    expect(await dropped(['NAVIGATION'])).toBe(1)
    expect(await dropped(['NETWORK_REQUEST'])).toBe(0)
    expect(await dropped(null)).toBe(91)
  })
})

describe('law 9: what a page says is made storable, and what is not is replaced', () => {
  test('NUL and lone surrogates in any text', async () => {
    const { log, record, follow, end } = await newLog()
    const rude = 'a\0b\ud800c\udc00'
    log.append(line(rude))
    log.append({ kind: 'NAVIGATION', at: 1, data: { pageId: 'p1', url: `http://x/${rude}`, sameDocument: false } })
    log.append(line('after'))
    await end()
    const kept = await history(record.id)
    expect(kept).toHaveLength(4)
    expect(kept[0]).toMatchObject({ data: { text: 'a\ufffdb\ufffdc\ufffd' } })
    expect(await readAll(follow())).toEqual(kept)
  })

  test('an entry that the store refuses all the same becomes UNSTORABLE in its place; its neighbours are kept', async () => {
    const { log, record, end } = await newLog()
    const bad = { ...line('bad'), at: Number.MAX_VALUE } satisfies EntryDraft
    for (let count = 0; count < 20; count += 1) log.append(count === 13 ? bad : line(`line ${count}`))
    await end()
    const kept = await history(record.id)
    expect(sequences(kept)).toEqual(oneTo(21))
    expect(kept[13]).toMatchObject({ kind: 'ENTRIES_DROPPED', data: { reason: 'UNSTORABLE', count: 1 } })
    expect(kept.filter(({ kind }) => kind === 'CONSOLE_MESSAGE')).toHaveLength(19)
  })
})

describe('pages of a log', () => {
  test('forward and backward, every entry once, in order, with true hasNextPage and hasPreviousPage', async () => {
    const { log, reader, session: started, end } = await newLog()
    for (let count = 0; count < 41; count += 1) log.append(count % 3 === 0 ? navigation : line(`line ${count}`))
    await end()
    const session = { ...started, lastSequence: 42, consoleMessageCount: 27 }
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 50 }), fc.boolean(), fc.boolean(), async (size, forward, filtered) => {
        const filter: EntryFilter = filtered ? { kinds: ['CONSOLE_MESSAGE'] } : ALL
        const expected = (await history(session.id)).filter((entry) => !filtered || entry.kind === 'CONSOLE_MESSAGE')
        const seen: LogEntry[] = []
        for (let cursor: string | null = null, more = true; more;) {
          const args = forward ? { first: size, after: cursor } : { last: size, before: cursor }
          const page = await reader.page(session, { ...args, filter })
          expect(page.entries.length).toBeLessThanOrEqual(size)
          if (forward) seen.push(...page.entries)
          else seen.unshift(...page.entries)
          more = forward ? page.hasNextPage : page.hasPreviousPage
          cursor = forward ? page.endCursor : page.startCursor
          expect(await page.totalCount()).toBe(expected.length)
        }
        expect(seen).toEqual(expected)
      }),
      { numRuns: 25 },
    )
  })

  test('bounds and conflicts are refused, never clamped', async () => {
    const { reader, session } = await newLog()
    for (const args of [{ first: 0 }, { first: 1001 }, { last: 0 }, { last: -1 }, { offset: 1, after: 'x' }]) {
      await expect(reader.page(session, { ...args, filter: ALL })).rejects.toMatchObject({ code: 'BAD_USER_INPUT' })
    }
  })
})
