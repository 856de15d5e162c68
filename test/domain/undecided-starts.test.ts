import { expect, test } from 'vitest'
import type { Store } from '../../src/ports/store/store.ts'
import { faultyStore, type Fault } from '../support/faulty-store.ts'
import { OWNER, useLiveSessions } from '../support/live-sessions.ts'
import { history, store, useStore } from '../support/session-log.ts'

/** A start whose row was committed without confirmation by the store, and whose caller received an error. */

useStore()
const { sessionsOver } = useLiveSessions()

const LOST: Fault[] = ['after', 'after', 'after']

const sessionsOf = async () => {
  const query = { owner: OWNER, filter: {}, direction: 'forward', after: null, limit: 100 } as const
  return (await store.listSessions(query)).records
}

test('is ended as soon as the store answers, and has no slot meanwhile', async () => {
  // The store is unavailable for a while: looking up the row fails as well.
  const lossy = faultyStore(
    faultyStore(store, ['insertSession'], LOST),
    ['findSession'],
    ['before', 'before', 'before'],
  )
  const { sessions, start } = sessionsOver(lossy)
  await expect(start()).rejects.toThrow()
  expect(await sessions.capacity()).toMatchObject({ live: 0, queued: 0 })
  const ended = { status: 'FAILED', endReason: 'LAUNCH_FAILED', error: expect.stringContaining('database') as string }
  await expect.poll(sessionsOf).toMatchObject([{ ...ended, endedAt: expect.any(Number) as number }])
  const { id } = (await sessionsOf())[0]!
  expect(await history(id)).toMatchObject([
    { sequence: 1, data: { to: 'CREATING' } },
    { sequence: 2, data: { from: 'CREATING', to: 'FAILED', endReason: 'LAUNCH_FAILED' } },
  ])
})

test('that was not committed leaves nothing, and a shutdown does not wait for it', async () => {
  const before = (await sessionsOf()).length
  let looks = 0
  const counting = new Proxy(store, {
    get(target, property) {
      if (property === 'findSession') looks += 1
      const member: unknown = Reflect.get(target, property, target)
      return typeof member === 'function' ? (member as () => void).bind(target) : member
    },
  }) satisfies Store
  const { sessions, start } = sessionsOver(faultyStore(counting, ['insertSession'], ['before', 'before', 'before']))
  await expect(start()).rejects.toThrow()
  await expect.poll(() => looks).toBeGreaterThan(0)
  await sessions.close(60_000)
  expect(await sessionsOf()).toHaveLength(before)
})
