import { expect, test } from 'vitest'
import { useLiveSessions } from '../support/live-sessions.ts'
import { store, useStore } from '../support/session-log.ts'

useStore()
const { sessionsOver, browsers } = useLiveSessions()

test('a session that is ended while its browser starts has ended once nothing is left of the browser', async () => {
  const { sessions, begin } = sessionsOver(store)
  // The one that the pool found out with how to launch.
  await expect.poll(() => browsers()).toEqual([])
  const { id, owner } = await begin()
  await expect.poll(() => browsers().length, { interval: 1 }).toBe(1)
  await (await sessions.requireHandle(owner, id)).end()
  expect(browsers()).toEqual([])
  expect(await sessions.find(owner, id)).toMatchObject({ status: 'CLOSED', endReason: 'TERMINATED', startedAt: null })
})
