import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { matchesFilter } from '../../src/domain/log/entries/entry-filter.ts'
import type { EntryDraft, EntryFilter } from '../../src/ports/log/log-entry.ts'
import type { Store } from '../../src/ports/store/store.ts'
import { UnstorableBatch } from '../../src/ports/store/store-errors.ts'
import { describeApiKeyRows } from './api-key-rows.contract.ts'
import { describeArtifactRows } from './artifact-rows.contract.ts'
import { describeBodyRows } from './body-rows.contract.ts'
import { describeMachineRows } from './machine-rows.contract.ts'
import { describeProfileRows } from './profile-rows.contract.ts'
import { describeRequestEntries } from './request-entries.contract.ts'
import { describeBoundedReads } from './bounded-reads.contract.ts'
import { describeSessionLists } from './session-list.contract.ts'
import { describeTaskRows } from './task-rows.contract.ts'
import {
  anyDrafts,
  anyFilter,
  consoleMessage,
  entriesDropped,
  insertWith,
  networkRequest,
  numbered,
  readAll,
  sampleSession,
  statusChange,
} from './store-samples.ts'

const EVERYTHING = { kinds: null } as const

/** Contract of every store, for any database. */
export function describeStore(open: () => Promise<{ store: Store; close: () => Promise<void> }>): void {
  let store: Store
  let close: () => Promise<void>
  beforeAll(async () => {
    ;({ store, close } = await open())
  })
  afterAll(() => close())

  describe('a session', () => {
    test('comes back as it was given, with its first entries', async () => {
      const session = sampleSession({
        name: 'Ünïcode 😀',
        metadata: { list: [1, 'two', null, { deep: true }], 'a key': 'value' },
        userAgent: 'agent',
        locale: 'de-DE',
        timezone: 'Europe/Berlin',
        keepAlive: true,
        idempotencyKey: 'key',
        inputHash: 'hash',
        startedAt: 1_700_000_000_001,
        currentUrl: 'http://127.0.0.1/',
        title: 'title',
      })
      const entries = numbered([statusChange, consoleMessage('first')])
      expect(await store.insertSession(session, entries)).toEqual({ kind: 'inserted' })
      const kept = { ...session, consoleMessageCount: 1, lastSequence: 2 }
      expect(await store.findSession(session.id)).toEqual(kept)
      expect(await store.findSessionByIdempotencyKey(session.owner, 'key')).toEqual(kept)
      expect(await store.findSessionByIdempotencyKey('someone else', 'key')).toBeNull()
      expect(await readAll(store, session.id, EVERYTHING)).toEqual(entries)
    })

    test('that is unknown is null everywhere', async () => {
      const id = randomUUID()
      expect(await store.findSession(id)).toBeNull()
      expect(await store.readHead(id)).toBeNull()
      expect(await store.findEntry(id, 1)).toBeNull()
      expect(await store.patchSession(id, { title: 'x' })).toBe(false)
      expect(await store.append(id, 0, numbered([statusChange]))).toEqual({ kind: 'conflict', lastSequence: null })
      const query = { sessionId: id, filter: EVERYTHING, limit: 10 } as const
      expect(await store.readEntries({ ...query, direction: 'forward' })).toMatchObject({ entries: [], done: true })
      expect(await store.readEntries({ ...query, direction: 'backward' })).toMatchObject({ entries: [], done: true })
    })

    test('inserted again after a lost answer is found inserted', async () => {
      const session = sampleSession({ idempotencyKey: 'once' })
      await store.insertSession(session, numbered([statusChange]))
      expect(await store.insertSession(session, numbered([statusChange]))).toEqual({ kind: 'inserted' })
      expect(await store.readHead(session.id)).toEqual({ lastSequence: 1, ended: false })
    })

    test('is one of several that start at once with the same idempotency key', async () => {
      const owner = `owner-${randomUUID()}`
      const rivals = Array.from({ length: 6 }, () => sampleSession({ owner, idempotencyKey: 'same' }))
      const outcomes = await Promise.all(rivals.map((rival) => store.insertSession(rival, numbered([statusChange]))))
      const winners = rivals.filter((_, index) => outcomes[index]!.kind === 'inserted')
      expect(winners).toHaveLength(1)
      for (const outcome of outcomes) {
        if (outcome.kind === 'exists') expect(outcome.record.id).toBe(winners[0]!.id)
      }
      expect(await store.countSessions(owner, {})).toBe(1)
      const other = sampleSession({ idempotencyKey: 'same' })
      expect(await store.insertSession(other, [])).toEqual({ kind: 'inserted' })
    })

    test('is patched while it lives, and not once it has ended', async () => {
      const { session } = await insertWith(store, [])
      const patch = {
        offline: true,
        name: 'named',
        metadata: { a: 1 },
        viewport: { width: 10, height: 20 },
        keepAlive: true,
        idleTimeoutSeconds: 7,
        maxDurationSeconds: 8,
        startedAt: 1_700_000_000_007,
        lastActivityAt: 1_700_000_000_008,
        currentUrl: 'about:blank',
        title: '',
      }
      expect(await store.patchSession(session.id, patch)).toBe(true)
      expect(await store.findSession(session.id)).toEqual({ ...session, ...patch })
      expect(await store.patchSession(session.id, { name: null, title: undefined })).toBe(true)
      expect(await store.patchSession(session.id, {})).toBe(true)
      expect(await store.findSession(session.id)).toEqual({ ...session, ...patch, name: null })
      const end = { status: 'FAILED', endReason: 'BROWSER_CRASHED', error: 'gone', endedAt: Date.now() } as const
      expect(await store.patchSession(session.id, end)).toBe(true)
      expect(await store.readHead(session.id)).toEqual({ lastSequence: 0, ended: true })
      expect(await store.patchSession(session.id, { title: 'late' })).toBe(false)
      expect(await store.patchSession(session.id, {})).toBe(false)
    })
  })

  describe('append', () => {
    test('commits entries, counters and patch together', async () => {
      const { session } = await insertWith(store, [])
      const navigation: EntryDraft = {
        kind: 'NAVIGATION',
        at: 1_700_000_000_000,
        data: { pageId: 'p1', url: 'http://127.0.0.1/', sameDocument: false },
      }
      const entries = numbered([
        navigation,
        consoleMessage('a'),
        consoleMessage('b'),
        networkRequest(1),
        entriesDropped,
      ])
      const patch = { currentUrl: 'http://127.0.0.1/', title: 'Page', lastActivityAt: 1_700_000_000_009 }
      expect(await store.append(session.id, 0, entries, patch)).toEqual({ kind: 'committed' })
      const counts = { navigationCount: 1, consoleMessageCount: 2, networkRequestCount: 1, lastSequence: 5 }
      expect(await store.findSession(session.id)).toEqual({ ...session, ...patch, ...counts })
      expect(await store.readHead(session.id)).toEqual({ lastSequence: 5, ended: false })
      expect(await store.findEntry(session.id, 4)).toEqual(entries[3])
      expect(await store.findEntry(session.id, 6)).toBeNull()
      expect(await store.findRequestEntry(session.id, 1)).toEqual(entries[3])
      expect(await store.findRequestEntry(session.id, 2)).toBeNull()
    })

    test('counts console errors and requests that failed by themselves, also with the insert', async () => {
      const drafts = [
        consoleMessage('fine', { level: 'WARNING' }),
        consoleMessage('logged', { level: 'ERROR' }),
        consoleMessage('thrown', { level: 'ERROR', source: 'EXCEPTION' }),
        networkRequest(1, { status: 399 }),
        networkRequest(2, { status: 400 }),
        networkRequest(3, { status: null, failure: 'net::ERR_FAILED', outcome: 'FAILED' }),
        networkRequest(4, { status: null, failure: 'session ended', outcome: 'CUT_BY_END' }),
        networkRequest(5, { status: 502, failure: 'the browser crashed', outcome: 'CUT_BY_END' }),
      ]
      const counts = { consoleErrorCount: 2, failedRequestCount: 3 }
      const { session } = await insertWith(store, drafts)
      expect(await store.findSession(session.id)).toMatchObject(counts)
      const whole = sampleSession()
      await store.insertSession(whole, numbered(drafts))
      expect(await store.findSession(whole.id)).toMatchObject(counts)
    })

    test('without entries is a patch that is fenced', async () => {
      const { session } = await insertWith(store, [statusChange])
      expect(await store.append(session.id, 1, [], { title: 'x' })).toEqual({ kind: 'committed' })
      expect(await store.append(session.id, 0, [], { title: 'y' })).toEqual({ kind: 'conflict', lastSequence: 1 })
      expect(await store.findSession(session.id)).toMatchObject({ title: 'x', lastSequence: 1 })
    })

    test('refuses entries that do not follow the expected one', async () => {
      const { session } = await insertWith(store, [])
      await expect(store.append(session.id, 0, numbered([statusChange], 1))).rejects.toThrow('was expected')
    })

    test('ends a log: nothing follows the final status', async () => {
      const { session } = await insertWith(store, [statusChange])
      const last = numbered([statusChange], 1)
      const end = { status: 'CLOSED', endReason: 'TERMINATED', endedAt: Date.now() } as const
      expect(await store.append(session.id, 1, last, end)).toEqual({ kind: 'committed' })
      expect(await store.append(session.id, 1, last, end)).toEqual({ kind: 'committed' })
      expect(await store.append(session.id, 2, numbered([statusChange], 2))).toMatchObject({ kind: 'conflict' })
      expect(await store.readHead(session.id)).toEqual({ lastSequence: 2, ended: true })
    })

    test('repeated after a lost answer is found committed, once', async () => {
      const { session } = await insertWith(store, [statusChange])
      const batch = numbered([consoleMessage('x'), networkRequest(1), consoleMessage('😀 é')], 1)
      expect(await store.append(session.id, 1, batch)).toEqual({ kind: 'committed' })
      expect(await store.append(session.id, 1, batch)).toEqual({ kind: 'committed' })
      expect(await store.findSession(session.id)).toMatchObject({ lastSequence: 4, consoleMessageCount: 2 })
    })

    test('of two writers lets one win, also when their batches are of the same length', async () => {
      for (let round = 0; round < 10; round++) {
        const { session } = await insertWith(store, [statusChange])
        const writers = ['one', 'two', 'three'].map((writer) => numbered([consoleMessage(writer)], 1))
        const outcomes = await Promise.all(writers.map((batch) => store.append(session.id, 1, batch)))
        const won = writers.filter((_, index) => outcomes[index]!.kind === 'committed')
        expect(won).toHaveLength(1)
        expect(outcomes.filter((outcome) => outcome.kind === 'conflict')).toEqual([
          { kind: 'conflict', lastSequence: 2 },
          { kind: 'conflict', lastSequence: 2 },
        ])
        expect(await readAll(store, session.id, { kinds: ['CONSOLE_MESSAGE'] })).toEqual(won[0])
      }
    })

    test.each([
      ['U+0000 in a text', consoleMessage('a\0b')],
      ['half of a surrogate pair', consoleMessage('a\ud83db')],
      ['U+0000 in a header', networkRequest(9, { requestHeaders: { name: '\0' } })],
      ["half of a pair in a header's name", networkRequest(9, { requestHeaders: { '\udc00': 'value' } })],
      ['a request that the log has already', networkRequest(1)],
    ])('refuses a batch with %s and writes nothing', async (_, bad) => {
      const { session, entries } = await insertWith(store, [statusChange, networkRequest(1)])
      const batch = numbered([consoleMessage('good'), bad, consoleMessage('good')], 2)
      await expect(store.append(session.id, 2, batch, { title: 'new' })).rejects.toThrow(UnstorableBatch)
      expect(await readAll(store, session.id, EVERYTHING)).toEqual(entries)
      expect(await store.findSession(session.id)).toMatchObject({
        lastSequence: 2,
        title: null,
        consoleMessageCount: 0,
      })
      expect(await store.append(session.id, 2, numbered([consoleMessage('next')], 2))).toEqual({ kind: 'committed' })
    })

    test('keeps large entries and large batches', async () => {
      const large = networkRequest(1, {
        url: `http://127.0.0.1/${'ü😀"\\'.repeat(100_000)}`,
        requestHeaders: Object.fromEntries(Array.from({ length: 500 }, (_, n) => [`h${n}`, 'v'.repeat(n)])),
      })
      const drafts = [large, ...Array.from({ length: 5000 }, (_, n) => consoleMessage(`line ${n}`))]
      const { session } = await insertWith(store, [])
      const entries = numbered(drafts)
      expect(await store.append(session.id, 0, entries)).toEqual({ kind: 'committed' })
      expect(await readAll(store, session.id, EVERYTHING)).toEqual(entries)
    })
  })

  describe('reading', () => {
    test('any batches make a dense log, and any filter in any direction finds what it should', async () => {
      const sizes = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 20 })
      const limit = fc.integer({ min: 1, max: 40 })
      await fc.assert(
        fc.asyncProperty(
          anyDrafts,
          sizes,
          fc.array(anyFilter, { minLength: 4, maxLength: 8 }),
          limit,
          async (drafts, batches, filters, pageSize) => {
            const { session } = await insertWith(store, [])
            const entries = numbered(drafts)
            for (let start = 0, turn = 0; start < entries.length; turn++) {
              const batch = entries.slice(start, start + batches[turn % batches.length]!)
              expect(await store.append(session.id, start, batch)).toEqual({ kind: 'committed' })
              start += batch.length
            }
            expect(await readAll(store, session.id, EVERYTHING, 'forward', pageSize)).toEqual(entries)
            const matching = (filter: EntryFilter) => entries.filter((entry) => matchesFilter(entry, filter)).length
            expect(await store.findSession(session.id)).toMatchObject({
              consoleErrorCount: matching({ kinds: ['CONSOLE_MESSAGE'], console: { levels: ['ERROR'] } }),
              failedRequestCount: matching({ kinds: ['NETWORK_REQUEST'], network: { failedOnly: true } }),
            })
            for (const filter of filters) {
              const wanted = entries.filter((entry) => matchesFilter(entry, filter))
              expect(await readAll(store, session.id, filter, 'forward', pageSize)).toEqual(wanted)
              expect(await readAll(store, session.id, filter, 'backward', pageSize)).toEqual(wanted)
              expect(await store.countEntries({ sessionId: session.id, filter, after: 0 })).toEqual({
                count: wanted.length,
                scannedTo: entries.length,
                done: true,
              })
              const from = Math.floor(entries.length / 3)
              const within = wanted.filter(({ sequence }) => sequence > from && sequence < from + 10)
              const bounds = { sessionId: session.id, filter, after: from, before: from + 10, limit: 100 }
              expect((await store.readEntries({ ...bounds, direction: 'forward' })).entries).toEqual(within)
              expect((await store.readEntries({ ...bounds, direction: 'backward' })).entries).toEqual(within)
            }
          },
        ),
        { numRuns: 25 },
      )
    }, 120_000)

    test('tells how far it looked, when nothing passes the filter and when the log ends', async () => {
      const { session } = await insertWith(store, [statusChange, consoleMessage('a'), networkRequest(1), statusChange])
      const read = (members: object) =>
        store.readEntries({ sessionId: session.id, filter: EVERYTHING, direction: 'forward', limit: 10, ...members })
      expect(await read({ filter: { kinds: ['DIALOG'] } })).toEqual({ entries: [], bytes: 0, scannedTo: 4, done: true })
      expect(await read({ filter: { kinds: [] }, after: 2 })).toEqual({
        entries: [],
        bytes: 0,
        scannedTo: 4,
        done: true,
      })
      expect(await read({ after: 4 })).toEqual({ entries: [], bytes: 0, scannedTo: 4, done: true })
      expect(await read({ after: 1, before: 3 })).toMatchObject({ scannedTo: 2, done: true })
      expect(await read({ limit: 4 })).toMatchObject({ scannedTo: 4, done: true })
      expect(await read({ limit: 2 })).toMatchObject({ scannedTo: 2, done: false })
      expect(await read({ limit: 2, direction: 'backward' })).toMatchObject({ scannedTo: 3, done: false })
      expect(await read({ limit: 2, direction: 'backward', before: 3 })).toMatchObject({ scannedTo: 1, done: true })
      expect(await read({ filter: { kinds: ['DIALOG'] }, direction: 'backward' })).toMatchObject({ scannedTo: 1 })
    })

    test('goes in bounded steps through what a filter passes by', async () => {
      const drafts = Array.from({ length: 9000 }, (_, n) => consoleMessage(n === 8500 ? 'needle' : 'hay'))
      const { session, entries } = await insertWith(store, drafts)
      const filter = { kinds: ['CONSOLE_MESSAGE', 'ENTRIES_DROPPED'], console: { textContains: 'needle' } } as const
      for (const direction of ['forward', 'backward'] as const) {
        const first = await store.readEntries({ sessionId: session.id, filter, direction, limit: 10 })
        const lookedAt = direction === 'forward' ? first.scannedTo : 9001 - first.scannedTo
        expect(lookedAt).toBeLessThanOrEqual(4000)
        expect(lookedAt).toBeGreaterThan(0)
        expect(await readAll(store, session.id, filter, direction)).toEqual([entries[8500]])
      }
      const first = await store.countEntries({ sessionId: session.id, filter, after: 0 })
      expect(first).toMatchObject({ count: 0, done: false })
      expect(first.scannedTo).toBeLessThanOrEqual(4000)
      let found = 0
      for (let after = 0, done = false; !done;) {
        const step = await store.countEntries({ sessionId: session.id, filter, after })
        found += step.count
        after = step.scannedTo
        done = step.done
      }
      expect(found).toBe(1)
    })

    test('while entries come in, never skips one', async () => {
      const { session } = await insertWith(store, [])
      const total = 400
      const writing = (async () => {
        for (let last = 0; last < total; last += 4) {
          const drafts = [consoleMessage('a'), networkRequest(last + 1), consoleMessage('b'), statusChange]
          await store.append(session.id, last, numbered(drafts, last))
        }
      })()
      const filter = { kinds: ['CONSOLE_MESSAGE', 'STATUS_CHANGE'], console: { textContains: 'b' } } as const
      const seen: number[] = []
      for (let after = 0; after < total;) {
        const step = await store.readEntries({ sessionId: session.id, filter, direction: 'forward', after, limit: 7 })
        seen.push(...step.entries.map(({ sequence }) => sequence))
        after = step.scannedTo
      }
      await writing
      expect(seen).toEqual(Array.from({ length: total / 2 }, (_, n) => Math.floor(n / 2) * 4 + 3 + (n % 2)))
    })
  })

  describeBoundedReads(() => store)
  describeSessionLists(() => store)
  describeArtifactRows(() => store)
  describeProfileRows(() => store)
  describeBodyRows(() => store)
  describeRequestEntries(() => store)
  describeTaskRows(() => store)
  describeMachineRows(() => store)
  describeApiKeyRows(() => store)

  test('deletes what ended before a time, in small steps, and nothing else', async () => {
    const drafts = Array.from({ length: 3500 }, () => consoleMessage('old'))
    const insertEnded = async (endedAt: number, count: number) => {
      const { session } = await insertWith(store, drafts.slice(0, count))
      await store.patchSession(session.id, { status: 'CLOSED', endReason: 'TERMINATED', endedAt })
      return session
    }
    const old = [await insertEnded(1000, 3500), await insertEnded(1001, 0), await insertEnded(1002, 3)]
    const recent = await insertEnded(5000, 3)
    const { session: live } = await insertWith(store, drafts.slice(0, 3))
    await store.deleteEndedBefore(5000)
    // A part of its log is gone, though its row is not: nobody may take the rest for the whole.
    expect(await store.readHead(old[0]!.id)).toBeNull()
    let steps = 1
    while (await store.deleteEndedBefore(5000)) steps++
    expect(steps).toBeGreaterThan(2)
    for (const { id } of old) {
      expect(await store.findSession(id)).toBeNull()
      expect(await store.findEntry(id, 1)).toBeNull()
      expect(await store.findEntry(id, 3500)).toBeNull()
    }
    for (const { id } of [recent, live]) {
      expect(await store.findSession(id)).toMatchObject({ lastSequence: 3 })
      expect(await readAll(store, id, EVERYTHING)).toHaveLength(3)
    }
  })

  test('answers a ping and says what it is', async () => {
    await store.ping()
    expect(store.describe()).toMatch(/PostgreSQL \d+/)
    expect(store.describe()).not.toMatch(/\n|secret/)
  })
}
