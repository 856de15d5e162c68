import { randomUUID } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { KeyWatch, type KeyWatchTimes } from '../../src/domain/keys/key-watch.ts'
import { createLogger } from '../../src/logger.ts'
import { StoreUnavailable } from '../../src/ports/store/store-errors.ts'
import type { ApiKeyRecord } from '../../src/ports/access/api-key.ts'

/** A store whose keys the test revokes like another process, and whose responses it can delay or refuse. */
function fakeStore() {
  const records = new Map<string, ApiKeyRecord>()
  const asked: string[][] = []
  const held: (() => void)[] = []
  const store = {
    records,
    asked,
    isAway: false,
    holds: false,
    release: () => held.splice(0).forEach((answer) => answer()),
    add(change: Partial<ApiKeyRecord> = {}): ApiKeyRecord {
      const times = { createdAt: 0, lastUsedAt: null, expiresAt: null, revokedAt: null }
      const key = { id: randomUUID(), owner: 'ann', name: 'x', secretHash: '', scopes: [], ...times, ...change }
      records.set(key.id, key)
      return key
    },
    revoke: (id: string) => void records.set(id, { ...records.get(id)!, revokedAt: 1 }),
    async findApiKeys(ids: readonly string[]) {
      asked.push([...ids])
      if (store.isAway) throw new StoreUnavailable(new Error('away'))
      // As of the time of the query.
      const found = ids.flatMap((id) => records.get(id) ?? [])
      if (store.holds) await new Promise<void>((resolve) => held.push(resolve))
      return found
    },
  }
  return store
}

const LONG = 3_600_000
const watchOver = (store: ReturnType<typeof fakeStore>, times: Partial<KeyWatchTimes>) =>
  new KeyWatch(store, createLogger('silent'), times)

describe('a key', () => {
  test('costs one look-up however many ask at once and again', async () => {
    const store = fakeStore()
    const watch = watchOver(store, { freshMs: LONG, pollMs: LONG })
    const { id } = store.add()
    expect(watch.fresh(id)).toBeNull()
    expect(await Promise.all([watch.isValid(id), watch.isValid(id)])).toEqual([true, true])
    expect(await watch.isValid(id)).toBe(true)
    expect([watch.fresh(id), store.asked]).toEqual([store.records.get(id), [[id]]])
    watch.close()
  })

  test('that is revoked, expired or unknown is not valid, and is not looked up again', async () => {
    const store = fakeStore()
    const watch = watchOver(store, { freshMs: 0, pollMs: LONG })
    const ids = [store.add({ revokedAt: 1 }).id, store.add({ expiresAt: Date.now() - 1 }).id, randomUUID()]
    for (const id of [...ids, ...ids]) expect(await watch.isValid(id)).toBe(false)
    expect(store.asked).toEqual(ids.map((id) => [id]))
    watch.close()
  })

  test('is looked up again once what is known is too old', async () => {
    const store = fakeStore()
    const watch = watchOver(store, { freshMs: 0, pollMs: LONG })
    const { id } = store.add()
    expect(await watch.isValid(id)).toBe(true)
    store.revoke(id)
    expect(await watch.isValid(id)).toBe(false)
    watch.close()
  })

  test('that is revoked while it is looked up is not valid, whatever the answer was', async () => {
    const store = fakeStore()
    const watch = watchOver(store, { pollMs: LONG })
    const key = store.add()
    store.holds = true
    const asked = watch.isValid(key.id)
    watch.revoked(key.id)
    store.release()
    expect(await asked).toBe(false)
    expect([watch.confirm(key, performance.now()), watch.fresh(key.id)]).toEqual([false, null])
    watch.close()
  })

  test('is unknown while the store is away, and known again after', async () => {
    const store = fakeStore()
    const watch = watchOver(store, { pollMs: LONG })
    const { id } = store.add()
    store.isAway = true
    await expect(watch.isValid(id)).rejects.toThrow(StoreUnavailable)
    store.isAway = false
    expect(await watch.isValid(id)).toBe(true)
    watch.close()
  })
})

describe('what a key has open', () => {
  test('is told once when another process revokes it, and nobody of another key is', async () => {
    const store = fakeStore()
    const watch = watchOver(store, { pollMs: 10, freshMs: LONG })
    const [one, other] = [store.add(), store.add()]
    const [reportedOne, reportedTwice, reportedOther] = [vi.fn(), vi.fn(), vi.fn()]
    for (const reported of [reportedOne, reportedTwice, reportedTwice]) watch.onInvalid(one.id, reported)
    const leave = watch.onInvalid(other.id, reportedOther)
    store.revoke(one.id)
    await expect.poll(() => reportedOne).toHaveBeenCalledOnce()
    expect(reportedTwice).toHaveBeenCalledTimes(2)
    expect(await watch.isValid(one.id)).toBe(false)
    const polls = store.asked.length
    await expect.poll(() => store.asked.length).toBeGreaterThan(polls + 1)
    expect([reportedOne.mock.calls.length, reportedOther.mock.calls.length]).toEqual([1, 0])
    leave()
    watch.close()
  })

  test('is told soon where it was revoked before, and not at all where it has left', async () => {
    const store = fakeStore()
    const watch = watchOver(store, { pollMs: LONG })
    const { id } = store.add()
    watch.revoked(id)
    const [reported, left] = [vi.fn(), vi.fn()]
    watch.onInvalid(id, left)()
    watch.onInvalid(id, reported)
    expect(reported).not.toHaveBeenCalled()
    await expect.poll(() => reported).toHaveBeenCalledOnce()
    expect(left).not.toHaveBeenCalled()
    watch.close()
  })

  test('is told although what another has open fails to close', async () => {
    const store = fakeStore()
    const watch = watchOver(store, { pollMs: LONG })
    const { id } = store.add()
    const reported = vi.fn()
    watch.onInvalid(id, () => {
      throw new Error('cannot close')
    })
    watch.onInvalid(id, reported)
    watch.revoked(id)
    expect(reported).toHaveBeenCalledOnce()
    watch.close()
  })

  test('stays open while the store is away, until that has lasted too long', async () => {
    const store = fakeStore()
    const watch = watchOver(store, { pollMs: 5, unknownMs: LONG })
    const { id } = store.add()
    const reported = vi.fn()
    watch.onInvalid(id, reported)
    store.isAway = true
    await expect.poll(() => store.asked.length).toBeGreaterThan(3)
    expect(reported).not.toHaveBeenCalled()
    store.isAway = false
    expect(await watch.isValid(id)).toBe(true)
    watch.close()

    const impatient = watchOver(store, { pollMs: 5, unknownMs: 50, freshMs: 0 })
    const leave = impatient.onInvalid(id, reported)
    store.isAway = true
    await expect.poll(() => reported).toHaveBeenCalledOnce()
    leave()
    store.isAway = false
    expect(await impatient.isValid(id)).toBe(true)
    impatient.close()
  })

  test('is closed as well where the store says nothing at all, of which it is asked only once at a time', async () => {
    const store = fakeStore()
    const watch = watchOver(store, { pollMs: 5, unknownMs: 50 })
    const reported = vi.fn()
    watch.onInvalid(store.add().id, reported)
    store.holds = true
    await expect.poll(() => reported).toHaveBeenCalledOnce()
    expect(store.asked).toHaveLength(1)
    store.release()
    watch.close()
  })
})

describe('time', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  test('keys in use are looked up together, others no more, and none when there are none', async () => {
    const store = fakeStore()
    const watch = watchOver(store, {})
    const [open, alsoOpen, used] = [store.add(), store.add(), store.add()]
    const leave = [open, alsoOpen].map(({ id }) => watch.onInvalid(id, () => {}))
    await watch.isValid(used.id)
    expect(store.asked).toEqual([[used.id]])
    await vi.advanceTimersByTimeAsync(2_000)
    expect(store.asked.slice(1)).toEqual([[open.id, alsoOpen.id, used.id]])
    await vi.advanceTimersByTimeAsync(10_000)
    expect(store.asked.at(-1)).toEqual([open.id, alsoOpen.id])
    for (const stop of leave) stop()
    await vi.advanceTimersByTimeAsync(12_000)
    const asked = store.asked.length
    await vi.advanceTimersByTimeAsync(60_000)
    expect([store.asked.length, vi.getTimerCount()]).toEqual([asked, 0])
  })

  test('a key that another process revoked has nothing open, and is refused, less than 4 seconds later', async () => {
    const store = fakeStore()
    const watch = watchOver(store, {})
    const { id } = store.add()
    const reported = vi.fn()
    await watch.isValid(id)
    watch.onInvalid(id, reported)
    // The latest possible detection: just after a lookup, by a store that takes a second to respond.
    store.holds = true
    await vi.advanceTimersByTimeAsync(2_000)
    store.revoke(id)
    await vi.advanceTimersByTimeAsync(1_000)
    store.release()
    await vi.advanceTimersByTimeAsync(2_000)
    store.release()
    await vi.advanceTimersByTimeAsync(0)
    expect(reported).toHaveBeenCalledOnce()
    expect(watch.fresh(id)).toBeNull()
    watch.close()
  })

  test('is not relied on for longer than 4 seconds where the store does not answer', async () => {
    const store = fakeStore()
    const watch = watchOver(store, {})
    const { id } = store.add()
    await watch.isValid(id)
    store.isAway = true
    await vi.advanceTimersByTimeAsync(3_900)
    expect(watch.fresh(id)).toMatchObject({ id })
    await vi.advanceTimersByTimeAsync(200)
    expect(watch.fresh(id)).toBeNull()
    watch.close()
  })
})
