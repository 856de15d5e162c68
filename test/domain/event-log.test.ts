import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { CursorInvalid, decodeEntryCursor, encodeEntryCursor } from '../../src/domain/kernel/cursor.ts'
import type { LogBatch } from '../../src/domain/log/reading/log-follower.ts'
import { LogReader } from '../../src/domain/log/reading/log-reader.ts'
import type { EntryFilter, LogEntry } from '../../src/ports/log/log-entry.ts'
import { faultyStore, type Fault } from '../support/faulty-store.ts'
import {
  ALL,
  endDraft,
  endPatch,
  history,
  line,
  navigation,
  newLog,
  oneTo,
  readAll,
  sequences,
  store,
  useStore,
} from '../support/session-log.ts'

/** Guarantees 1, 2, 4, 5 and 6 of docs/event-log.md, and pages of it. */

useStore()

describe(
  'guarantees 1, 2 and 4: whatever happens, each follower sees exactly 1…n, and live equals history',
  { timeout: 120_000 },
  () => {
    const fault = fc.constantFrom<Fault>('none', 'none', 'none', 'before', 'after')
    /** Small ones, and ones that take several batches to commit and several steps to read. */
    const burstSize = fc.oneof(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 500, max: 2500 }))
    const writing = fc.array(fc.record({ burst: burstSize, pauses: fc.nat(3) }), { maxLength: 8 })
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
        { numRuns: 15 },
      )
    })

    test('a batch that another writer overtook is not written twice: the log is lost, loudly', async () => {
      const { log, record, lost } = await newLog()
      await store.append(record.id, 0, [{ ...navigation, sequence: 1 }])
      log.append(line('mine'))
      await log.flush()
      expect(lost).toHaveBeenCalledOnce()
      expect(sequences(await history(record.id))).toEqual([1])
    })
  },
)

describe('the writer', () => {
  test('flush waits for what was asked for before it, not for a page that goes on logging', async () => {
    const { log, record, end } = await newLog()
    let isLogging = true
    const logging = (async () => {
      while (isLogging) {
        log.append(line('again'))
        await turn()
      }
    })()
    for (let count = 0; count < 3; count += 1) {
      log.patch({ name: `name ${count}` })
      await log.flush()
      expect(await store.findSession(record.id)).toMatchObject({ name: `name ${count}` })
    }
    isLogging = false
    await logging
    await end()
  })

  test('nothing follows the final status, even if it comes while that waits for the store', async () => {
    const away = faultyStore(store, ['append'], ['before', 'before'])
    const { log, record, lost, end } = await newLog({ writeStore: away })
    log.append(line('first'))
    const ending = end()
    log.append(line('late'))
    log.miss('CONSOLE_MESSAGE', 'FLOOD')
    log.patch({ title: 'late' })
    expect(await log.commit(line('awaited'))).toBeNull()
    await ending
    expect((await history(record.id)).map(({ kind }) => kind)).toEqual(['CONSOLE_MESSAGE', 'STATUS_CHANGE'])
    expect(await store.findSession(record.id)).toMatchObject({ status: 'CLOSED', title: null })
    expect(lost).not.toHaveBeenCalled()
    expect(log.head).toEqual({ lastSequence: 2, ended: true })
  })

  test('a log that was given up does not pretend to have ended', async () => {
    const never = Array.from({ length: 1000 }, (): Fault => 'before')
    const { log, end, lost } = await newLog({ writeStore: faultyStore(store, ['append'], never) })
    log.append(line('unheard'))
    const ending = end()
    log.abandon()
    await ending
    expect(lost).toHaveBeenCalledOnce()
    expect(log.head).toEqual({ lastSequence: 0, ended: false })
  })

  test('a row that has gone is noticed also where only state changes', async () => {
    const { log, lost, record } = await newLog()
    await store.append(record.id, 0, [{ ...endDraft, sequence: 1 }], endPatch)
    log.patch({ title: 'too late' })
    await log.flush()
    expect(lost).toHaveBeenCalledOnce()
  })
})

describe('guarantee 4: following', () => {
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
      expect(batches).toHaveLength(1)
      expect(batches.flatMap((batch) => sequences(batch.entries))).toEqual(oneTo(11).slice(sequence))
      expect(batches.at(-1)?.live).toBe(true)
    }
  })

  test('a log that is being deleted is not there, for readers that are in the middle of it, too', async () => {
    const { log, record, session, bus } = await newLog()
    for (let count = 0; count < 2500; count += 1) log.append(line('old'))
    // Before those of other tests.
    const patch = { ...endPatch, endedAt: -1 }
    await log.end(endDraft, patch)
    const reader = new LogReader(store, bus, async () => null)
    const ended = { ...session, ...patch, lastSequence: 2501 }
    const followed = reader.follow(ended, { filter: ALL }, new AbortController().signal)
    await followed.next()
    // The oldest thousand entries.
    await store.deleteEndedBefore(0)
    await expect(readAll(followed)).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await expect(reader.page(ended, { filter: ALL })).rejects.toMatchObject({ code: 'NOT_FOUND' })
    while (await store.deleteEndedBefore(0)) continue
    expect(await store.findSession(record.id)).toBeNull()
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

describe('guarantee 5: a slow reader', () => {
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

describe('guarantee 6: cursors', () => {
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
