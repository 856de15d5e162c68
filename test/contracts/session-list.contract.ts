import { randomUUID } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import type { SessionFilter, SessionPosition, Store } from '../../src/ports/store/store.ts'
import { sampleSession } from './store-samples.ts'

/** Part of the store contract: lists of sessions. */
export function describeSessionLists(store: () => Store): void {
  describe('lists of sessions', () => {
    const owner = `owner-${randomUUID()}`
    const at = 1_700_000_000_000
    const kept = Array.from({ length: 12 }, (_, n) =>
      sampleSession({
        owner,
        // Pairs share a time, so that the id decides the order.
        createdAt: at + Math.floor(n / 2) * 1000,
        lastActivityAt: at,
        status: (['RUNNING', 'CLOSED', 'FAILED'] as const)[n % 3]!,
        name: n % 4 === 0 ? 'fourth' : null,
        metadata: { team: n < 6 ? 'red' : 'blue', tags: ['all', `n${n}`], nested: { n } },
        endedAt: n % 3 === 0 ? null : at + n,
      }),
    )
    const newestFirst = [...kept].sort((one, other) => other.createdAt - one.createdAt || (one.id < other.id ? 1 : -1))
    const ids = (records: readonly { id: string }[]) => records.map(({ id }) => id)

    beforeAll(async () => {
      for (const session of kept) await store().insertSession(session, [])
    })

    test('some of them by their ids', async () => {
      const found = await store().findSessions([kept[3]!.id, randomUUID(), kept[0]!.id])
      expect(ids(found).toSorted()).toEqual([kept[3]!.id, kept[0]!.id].toSorted())
      expect(await store().findSessions([])).toEqual([])
    })

    test.each([1, 4, 5, 12, 13])('page by page of %i, in both directions', async (limit) => {
      for (const filter of [{}, { status: ['RUNNING', 'FAILED'] as const }]) {
        const wanted = newestFirst.filter(
          ({ status }) => !filter.status || (filter.status as readonly string[]).includes(status),
        )
        const forward: string[] = []
        for (let after: SessionPosition | null = null, more = true; more;) {
          const page = await store().listSessions({ owner, filter, direction: 'forward', after, limit })
          forward.push(...ids(page.records))
          after = page.records.at(-1)!
          more = page.hasMore
        }
        expect(forward).toEqual(ids(wanted))
        const backward: string[] = []
        for (let before: SessionPosition | null = null, more = true; more;) {
          const page = await store().listSessions({ owner, filter, direction: 'backward', before, limit })
          backward.unshift(...ids(page.records))
          before = page.records[0]!
          more = page.hasMore
        }
        expect(backward).toEqual(ids(wanted))
        const third = await store().listSessions({ owner, filter, direction: 'forward', offset: 3, limit })
        expect(ids(third.records)).toEqual(ids(wanted.slice(3, 3 + limit)))
        expect(third.hasMore).toBe(wanted.length > 3 + limit)
      }
    })

    test.each([
      [{}, () => true],
      [{ status: [] }, () => false],
      [{ status: ['CLOSED'] as const }, ({ status }) => status === 'CLOSED'],
      [{ status: ['CLOSED', 'CLOSED', 'TIMED_OUT'] as const }, ({ status }) => status === 'CLOSED'],
      [{ createdAfter: at + 2000 }, ({ createdAt }) => createdAt >= at + 2000],
      [{ createdBefore: at + 2000 }, ({ createdAt }) => createdAt < at + 2000],
      [{ name: 'fourth' }, ({ name }) => name === 'fourth'],
      [{ name: 'Fourth' }, () => false],
      [{ metadata: { team: 'red' } }, ({ metadata }) => metadata['team'] === 'red'],
      [{ metadata: { nested: { n: 3 } } }, (session) => session === kept[3]],
      [{ metadata: { tags: ['n7'] }, name: null }, (session) => session === kept[7]],
      [{ metadata: { team: 'red' }, name: 'fourth', status: ['CLOSED'] as const }, (session) => session === kept[4]],
    ] satisfies [Parameters<Store['countSessions']>[1], (session: (typeof kept)[number]) => boolean][])(
      'are narrowed by %j',
      async (filter, passes) => {
        const wanted = ids(newestFirst.filter(passes))
        const page = await store().listSessions({ owner, filter, direction: 'forward', limit: 100 })
        expect(ids(page.records)).toEqual(wanted)
        expect(page.hasMore).toBe(false)
        expect(await store().countSessions(owner, filter)).toBe(wanted.length)
      },
    )

    test('are counted whole, however many steps that takes', async () => {
      const many = randomUUID()
      const crowd = Array.from({ length: 2100 }, (_, n) =>
        sampleSession({
          owner: many,
          // A step ends among sessions of the same time.
          createdAt: at + Math.floor(n / 150),
          status: n % 2100 < 1050 ? 'CLOSED' : 'RUNNING',
          name: n % 2 === 0 ? 'even' : null,
          metadata: { third: n % 3 === 0 },
        }),
      )
      while (crowd.length > 0) {
        await Promise.all(crowd.splice(0, 100).map((session) => store().insertSession(session, [])))
      }
      const counted = (filter: SessionFilter) => store().countSessions(many, filter)
      expect(await counted({})).toBe(2100)
      expect(await counted({ status: ['CLOSED', 'RUNNING', 'FAILED'] })).toBe(2100)
      expect(await counted({ status: ['RUNNING'] })).toBe(1050)
      expect(await counted({ name: 'even' })).toBe(1050)
      expect(await counted({ name: 'even', status: ['CLOSED', 'FAILED'] })).toBe(525)
      expect(await counted({ metadata: { third: true }, status: ['CLOSED', 'RUNNING'] })).toBe(700)
      expect(await counted({ createdAfter: at + 1 })).toBe(1950)
      const page = await store().listSessions({
        owner: many,
        filter: { status: ['CLOSED', 'RUNNING'] },
        direction: 'forward',
        offset: 2050,
        limit: 100,
      })
      expect([page.records.length, page.hasMore]).toEqual([50, false])
    })

    test('of what a machine left behind hold every owner, and no ended one', async () => {
      const machineId = randomUUID()
      const live = [
        sampleSession({ machineId, createdAt: 1 }),
        sampleSession({ machineId, status: 'RUNNING', createdAt: 2 }),
      ]
      const ended = sampleSession({ machineId, status: 'CLOSED', endedAt: Date.now() })
      for (const session of [...live, ended]) await store().insertSession(session, [])
      expect(await store().listLiveSessions(machineId)).toEqual(live)
    })
  })
}
