import { describe, expect, test } from 'vitest'
import type { EntryFilter, LogEntry } from '../../src/ports/log/log-entry.ts'
import type { Store } from '../../src/ports/store/store.ts'
import { readingFor } from '../../src/async/current-reader.ts'
import { consoleMessage, insertWith, networkRequest } from './store-samples.ts'

/** Size as stored, which bounds a page. */
const bytesOf = (entries: readonly LogEntry[]) =>
  entries.reduce((sum, { data }) => sum + Buffer.byteLength(JSON.stringify(data)), 0)

/** Number of concurrent reads. */
const CROWD = 1_000

const EVERYTHING: EntryFilter = { kinds: null }

/** Part of the store contract: bounds in bytes on reads. */
export function describeBoundedReads(store: () => Store): void {
  describe('reading within a bound in bytes', () => {
    const texts = ['p', '\u0001', '漢', '"']
    const drafts = Array.from({ length: 60 }, (_, n) =>
      n % 5 === 4 ? networkRequest(n + 1) : consoleMessage(texts[n % 4]!.repeat(1000)),
    )

    test.each([
      ['every kind', EVERYTHING],
      ['one kind', { kinds: ['CONSOLE_MESSAGE'] }],
      ['two kinds', { kinds: ['CONSOLE_MESSAGE', 'NETWORK_REQUEST'] }],
      ['a search', { kinds: ['CONSOLE_MESSAGE'], console: { levels: ['LOG', 'ERROR', 'INFO', 'WARNING', 'DEBUG'] } }],
    ] satisfies [string, EntryFilter][])('stops there and goes on from there: %s', async (_, filter) => {
      const { session, entries } = await insertWith(store(), drafts)
      const wanted = entries.filter(({ kind }) => !filter.kinds || filter.kinds.includes(kind as never))
      for (const direction of ['forward', 'backward'] as const) {
        const seen: LogEntry[] = []
        let steps = 0
        for (let place: number | undefined, done = false; !done; steps += 1) {
          const bound = direction === 'forward' ? { after: place } : { before: place }
          const query = { sessionId: session.id, filter, direction, limit: 1000, maxBytes: 20_000, ...bound }
          const step = await store().readEntries(query)
          expect(step.bytes).toBe(bytesOf(step.entries))
          expect(step.bytes).toBeLessThanOrEqual(20_000)
          expect(step.entries.length).toBeGreaterThan(0)
          if (direction === 'forward') seen.push(...step.entries)
          else seen.unshift(...step.entries)
          if (!step.done) expect(step.scannedTo).toBe(step.entries.at(direction === 'forward' ? -1 : 0)!.sequence)
          place = step.scannedTo
          done = step.done
        }
        expect(seen).toEqual(wanted)
        expect(steps).toBeGreaterThanOrEqual(bytesOf(wanted) / 20_000)
      }
    })

    test('returns the first entry however large it is', async () => {
      const { session, entries } = await insertWith(store(), drafts)
      const read = (direction: 'forward' | 'backward') =>
        store().readEntries({ sessionId: session.id, filter: EVERYTHING, direction, limit: 1000, maxBytes: 1 })
      expect(await read('forward')).toMatchObject({ entries: [entries[0]], scannedTo: 1, done: false })
      expect(await read('backward')).toMatchObject({ entries: [entries.at(-1)], scannedTo: 60, done: false })
    })

    test('a search and a count look into a few megabytes at once', async () => {
      const large = Array.from({ length: 30 }, (_, n) => consoleMessage(`${n}${'\u0001'.repeat(32_700)}`))
      const { session, entries } = await insertWith(store(), large)
      const filter: EntryFilter = { kinds: ['CONSOLE_MESSAGE'], console: { textContains: 'not there' } }
      const step = await store().readEntries({ sessionId: session.id, filter, direction: 'forward', limit: 10 })
      expect(step).toMatchObject({ entries: [], done: false })
      expect(bytesOf(entries.slice(0, step.scannedTo))).toBeLessThanOrEqual(4 * 1024 * 1024)
      const count = await store().countEntries({ sessionId: session.id, filter, after: 0 })
      expect(count).toEqual({ count: 0, scannedTo: step.scannedTo, done: false })
      let looked = 0
      for (let after = 0, done = false; !done; looked += 1) {
        const next = await store().countEntries({ sessionId: session.id, filter, after })
        after = next.scannedTo
        done = next.done
      }
      expect(looked).toBeGreaterThan(1)
    })

    test('of single rows, one reader after the other: a crowd of one holds up no other, nor an append', async () => {
      const { session, entries } = await insertWith(store(), drafts)
      const crowd = { name: 'a crowd', signal: null }
      let answered = 0
      const find = async () => {
        await store().findSession(session.id)
        answered += 1
      }
      const asked = readingFor(crowd, () => Array.from({ length: CROWD }, find))
      await readingFor({ name: 'another', signal: null }, () => store().findSession(session.id))
      expect(answered).toBeLessThan(CROWD / 2)
      await store().append(session.id, entries.length, [], { title: 'appended' })
      expect(answered).toBeLessThan(CROWD / 2)
      await Promise.all(asked)
    })

    test('of single rows is dropped when its reader leaves', async () => {
      const { session } = await insertWith(store(), drafts)
      const leaving = new AbortController()
      const asked = readingFor({ name: 'leaving', signal: leaving.signal }, () =>
        Array.from({ length: CROWD }, () => store().findSession(session.id)),
      )
      leaving.abort(new Error('left'))
      const outcomes = await Promise.allSettled(asked)
      expect(outcomes.filter(({ status }) => status === 'rejected').length).toBeGreaterThan(CROWD / 2)
    })

    test('drops a read that waits for its turn when its reader leaves', async () => {
      const { session } = await insertWith(store(), drafts)
      const read = (signal?: AbortSignal) =>
        store().readEntries({ sessionId: session.id, filter: EVERYTHING, direction: 'forward', limit: 1000 }, signal)
      const leaving = new AbortController()
      const under = Array.from({ length: 20 }, () => read())
      const waiting = read(leaving.signal)
      const list = store().listSessions(
        { owner: session.owner, filter: {}, direction: 'forward', limit: 1 },
        leaving.signal,
      )
      leaving.abort(new Error('left'))
      await expect(waiting).rejects.toThrow('left')
      await expect(list).rejects.toThrow('left')
      await Promise.all(under)
      await expect(read(AbortSignal.abort(new Error('gone before')))).rejects.toThrow('gone before')
    })
  })
}
