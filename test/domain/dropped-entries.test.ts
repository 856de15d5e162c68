import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import type { EntryDraft, EntryFilter, LogEntry } from '../../src/ports/log/log-entry.ts'
import { StoreFull } from '../../src/ports/store/store-errors.ts'
import type { Store } from '../../src/ports/store/store.ts'
import { faultyStore } from '../support/faulty-store.ts'
import {
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

/** Guarantees 7 and 9 of docs/event-log.md: nothing is lost silently, and everything kept can be stored. */

useStore()

const messages: EntryDraft<'WEB_SOCKET_MESSAGES'> = {
  kind: 'WEB_SOCKET_MESSAGES',
  at: 1,
  data: { webSocketId: 1, url: 'ws://site/', pageId: 'p1', messages: [], omittedSent: 0, omittedReceived: 0 },
}

describe('guarantee 7: nothing is lost quietly', () => {
  const countOf = (entries: readonly LogEntry[]) =>
    entries.reduce((sum, entry) => sum + (entry.kind === 'ENTRIES_DROPPED' ? (entry.data.count ?? 0) : 0), 0)

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

  test('entries that could not be recorded take no place of those that can', async () => {
    const { log, record, end } = await newLog({ limits: { maxEntries: 100 } })
    for (let count = 0; count < 5000; count += 1) log.miss('CONSOLE_MESSAGE', 'FLOOD')
    for (let count = 0; count < 100; count += 1) log.append(line(`line ${count}`))
    await end()
    const kept = await history(record.id)
    expect(kept.filter(({ kind }) => kind === 'CONSOLE_MESSAGE')).toHaveLength(100)
    expect(countOf(kept)).toBe(5000)
    expect(kept.filter((entry) => entry.kind === 'ENTRIES_DROPPED').map(({ data }) => data.reason)).not.toContain(
      'LOG_LIMIT',
    )
  })

  test('messages of a socket that floods take no place of a line, and what is missing of them is counted', async () => {
    const { log, record, end } = await newLog({ limits: { maxQueuedEntries: 100, maxEntries: 60 } })
    for (let count = 0; count < 1000; count += 1) log.append(messages)
    for (let count = 0; count < 60; count += 1) log.append(line(`line ${count}`))
    await end()
    const kept = await history(record.id)
    const stored = kept.filter(({ kind }) => kind === 'WEB_SOCKET_MESSAGES').length
    expect(stored).toBeGreaterThanOrEqual(25)
    expect(stored + countOf(kept)).toBe(1000)
    expect(kept.filter(({ kind }) => kind === 'CONSOLE_MESSAGE')).toHaveLength(60)
    for (const entry of kept) {
      if (entry.kind === 'ENTRIES_DROPPED')
        expect(Object.keys(entry.data.countsByKind)).toEqual(['WEB_SOCKET_MESSAGES'])
    }
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

describe('guarantee 9: what a page says is made storable, and what is not is replaced', () => {
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

test('a log that is cut short counts what waits, keeps what is never dropped, and commits its end at once', async () => {
  const { log, record, end } = await newLog()
  log.append(line('first'))
  await log.flush()
  for (let count = 0; count < 5000; count += 1) log.append(line(`line ${count}`))
  log.append({ kind: 'CLIENT_ATTACHED', at: 1, data: { clientId: 1, name: 'a client' } })
  log.cutShort()
  for (let count = 0; count < 100; count += 1) log.append(line(`late ${count}`))
  await end()
  const kept = await history(record.id)
  expect(sequences(kept)).toEqual(oneTo(kept.length))
  expect(kept.map(({ kind }) => kind)).toEqual([
    'CONSOLE_MESSAGE',
    'CLIENT_ATTACHED',
    'ENTRIES_DROPPED',
    'ENTRIES_DROPPED',
    'STATUS_CHANGE',
  ])
  const counts = kept.flatMap((entry) => (entry.kind === 'ENTRIES_DROPPED' ? [entry.data] : []))
  expect(counts).toMatchObject([
    { reason: 'FLOOD', count: 5000 },
    { reason: 'FLOOD', count: 100 },
  ])
})

test('a log that is cut short on a full disk counts what was being written, too, and has room for its end alone', async () => {
  let isFull = false
  let refused = 0
  const full = new Proxy(store, {
    get(target, property) {
      if (property !== 'append' || !isFull) return Reflect.get(target, property, target) as unknown
      const append: Store['append'] = (...args) => {
        if (args[3]?.endedAt) return store.append(...args)
        refused += 1
        return Promise.reject(new StoreFull(new Error('full')))
      }
      return append
    },
  })
  const { log, record, end, lost } = await newLog({ writeStore: full })
  log.append(line('first'))
  await log.flush()
  isFull = true
  log.append({ kind: 'CLIENT_ATTACHED', at: 1, data: { clientId: 1, name: 'a client' } })
  for (let count = 0; count < 500; count += 1) log.append(line(`line ${count}`))
  // The first of them are in a batch that the store refuses.
  await expect.poll(() => refused).toBeGreaterThan(0)
  log.cutShort()
  for (let count = 0; count < 10; count += 1) log.append(line(`late ${count}`))
  await end()
  expect(lost).not.toHaveBeenCalled()
  const kept = await history(record.id)
  expect(sequences(kept)).toEqual(oneTo(kept.length))
  expect(kept.map(({ kind }) => kind)).toEqual(expect.arrayContaining(['CONSOLE_MESSAGE', 'CLIENT_ATTACHED']))
  expect(kept.at(-1)).toMatchObject({ kind: 'STATUS_CHANGE' })
  const counts = kept.flatMap((entry) => (entry.kind === 'ENTRIES_DROPPED' ? [entry.data] : []))
  expect(counts.reduce((sum, { count }) => sum + (count ?? 0), 0)).toBe(510)
  expect(counts[0]).toMatchObject({ reason: 'STORE_UNAVAILABLE' })
})
