import { expect, test } from 'vitest'
import { DatabaseUnavailable } from '../../src/domain/kernel/database-unavailable.ts'
import { LogReader, type LiveLog } from '../../src/domain/log/reading/log-reader.ts'
import { ALL, line, liveLogOf, newLog, readAll, store, useStore } from '../support/session-log.ts'

useStore()

/** A poll that is never due in time: a follower that continues was woken. */
const TIMING = { pollMs: 600_000, progressMs: 600_000 }

async function followed() {
  const { log, session, bus, end } = await newLog()
  let live: LiveLog | null = liveLogOf(log)
  const reader = new LogReader(store, bus, async () => live, TIMING)
  log.append(line('first'))
  await log.flush()
  const follower = reader.follow(session, { filter: ALL }, new AbortController().signal)
  const { value } = await follower.next()
  expect(value).toMatchObject({ live: true, entries: [{ sequence: 1 }] })
  return { reader, follower, log, end, leave: () => (live = null) }
}

test('who follows a session whose end could not be stored is told so when the server goes down', async () => {
  const { reader, follower, log, leave } = await followed()
  const rest = readAll(follower).catch((error: unknown) => error)
  log.abandon()
  leave()
  await reader.drain(60_000)
  const error = await rest
  expect(error).toBeInstanceOf(DatabaseUnavailable)
  expect(error).toMatchObject({ message: expect.stringContaining('could not store the end of the session') as string })
})

test('who follows a session that ended has its end', async () => {
  const { reader, follower, end, leave } = await followed()
  const rest = readAll(follower)
  await end()
  leave()
  await reader.drain(60_000)
  expect((await rest).map(({ kind }) => kind)).toEqual(['STATUS_CHANGE'])
})
