import { describe, expect, test } from 'vitest'
import type { AgentTasks } from '../../src/domain/tasks/agent-tasks.ts'
import { cancelTask } from '../../src/domain/tasks/task-requests.ts'
import { NotFound } from '../../src/domain/kernel/errors.ts'
import { SessionNotRunning } from '../../src/domain/kernel/session-state.ts'
import { LogReader, type LiveLog } from '../../src/domain/log/reading/log-reader.ts'
import type { SessionSnapshot } from '../../src/domain/log/entries/session-snapshot.ts'
import { HandleSet } from '../../src/domain/sessions/handle-set.ts'
import { findLive } from '../../src/domain/sessions/live-session.ts'
import { OperationSessions } from '../../src/domain/sessions/operation-sessions.ts'
import type { SessionDirectory } from '../../src/domain/sessions/session-directory.ts'
import type { SessionHandle } from '../../src/domain/sessions/session-handle.ts'
import { pendingRequests, terminateSession, terminateSessions } from '../../src/domain/sessions/session-requests.ts'
import { createLogger } from '../../src/logger.ts'
import type { TaskRecord } from '../../src/ports/tasks/task.ts'
import { ALL, line, newLog, readAll, store, useStore } from '../support/session-log.ts'

/** A session of another process ends between two queries: found as running, it has no handle, or one that refuses. */

const RUNNING = {
  id: 's1',
  owner: 'me',
  status: 'RUNNING',
  startedAt: 1_000,
  endedAt: null,
  createdAt: 1_000,
} as SessionSnapshot
const ENDED = { ...RUNNING, status: 'CLOSED', endReason: 'TERMINATED', endedAt: 3_000 } as SessionSnapshot

const refuse = () => Promise.reject(new SessionNotRunning())
const REFUSING = {
  sessionId: RUNNING.id,
  owner: RUNNING.owner,
  end: refuse,
  pages: refuse,
  health: refuse,
  pendingRequests: refuse,
  cancelTask: refuse,
} as Partial<SessionHandle> as SessionHandle

/** States of the session on successive lookups; the last one repeats. */
function directory(found: (SessionSnapshot | null)[], handle: SessionHandle | null): SessionDirectory {
  let looks = 0
  const sessions: Partial<SessionDirectory> = {
    find: async () => found[Math.min(looks++, found.length - 1)]!,
    handle: async () => handle,
    handles: async () => new HandleSet(handle ? [handle] : [], createLogger('silent')),
    list: async () => ({ sessions: [RUNNING], hasNextPage: false, hasPreviousPage: false, totalCount: async () => 1 }),
  }
  return sessions as SessionDirectory
}

const tasks = (found: (Partial<TaskRecord> | null)[]) => {
  let looks = 0
  return { find: async () => found[Math.min(looks++, found.length - 1)] } as unknown as AgentTasks
}

describe.each([
  ['has no handle any more', null],
  ['has a handle that refuses', REFUSING],
])('a session that %s', (_, handle) => {
  test('is ended as one that was found ended', async () => {
    expect(await terminateSession(directory([ENDED], null), 'me', 's1')).toEqual(ENDED)
    expect(await terminateSession(directory([RUNNING, ENDED], handle), 'me', 's1')).toEqual(ENDED)
    await terminateSessions(directory([ENDED], handle), 'me', { status: ['RUNNING'] })
  })

  test('has no pending requests and no pages, and its health says that it has ended', async () => {
    expect(await pendingRequests(directory([ENDED], handle), 's1', 10)).toEqual([])
    const asked = new OperationSessions(directory([ENDED], handle))
    expect(await asked.pages('s1')).toEqual([])
    expect(await asked.health(RUNNING)).toMatchObject({ status: 'ENDED', browserResponsive: false, uptimeMs: 2_000 })
  })

  test('has a task that stays as it ended', async () => {
    const running = { id: 't1', sessionId: 's1', status: 'RUNNING' } as const
    const canceled = { ...running, status: 'CANCELLED' } as const
    const sessions = () => directory([RUNNING, ENDED], handle)
    expect(await cancelTask(tasks([running, canceled]), sessions(), 'me', 't1')).toEqual(canceled)
    // Its end is stored a moment later.
    await expect(cancelTask(tasks([running]), sessions(), 'me', 't1')).rejects.toMatchObject({
      code: 'SESSION_NOT_RUNNING',
      message: 'The session has ended.',
    })
  })
})

test('a session that lives where it cannot be reached is told apart from one that has ended', async () => {
  const elsewhere = directory([RUNNING], null)
  await expect(terminateSession(elsewhere, 'me', 's1')).rejects.toThrow('The session does not live on this server.')
  await expect(findLive(directory([null], null), 'me', 's1')).rejects.toThrow(NotFound)
  expect(await findLive(directory([RUNNING, ENDED], null), 'me', 's1')).toBeNull()
  expect(await new OperationSessions(elsewhere).health(RUNNING)).toMatchObject({ status: 'UNRESPONSIVE' })
})

describe('a log whose session has ended meanwhile', () => {
  useStore()

  const REFUSING_LOG: LiveLog = { logHead: refuse, logTail: refuse }

  test('is read from the store, from any place', async () => {
    const { session, bus, log, end } = await newLog()
    log.append(line('first'))
    log.append(line('second'))
    await end()
    const reader = new LogReader(store, bus, async () => REFUSING_LOG, { pollMs: 600_000, progressMs: 600_000 })
    const followed = await readAll(reader.follow(session, { filter: ALL }, new AbortController().signal))
    expect(followed.map(({ kind }) => kind)).toEqual(['CONSOLE_MESSAGE', 'CONSOLE_MESSAGE', 'STATUS_CHANGE'])
    // The session as it was found, before any of this was written.
    const { entries, endCursor } = await reader.page(session, { filter: ALL, first: 1 })
    expect(entries).toEqual(followed.slice(0, 1))
    const rest = await reader.page(session, { filter: ALL, after: endCursor })
    expect(rest.entries).toEqual(followed.slice(1))
  })

  test('is followed to its end where it ends while it is followed', async () => {
    const { session, bus, log, end } = await newLog()
    let live: LiveLog = {
      logHead: async () => log.head,
      logTail: async (after, limit, maxBytes) => log.readTail(after, limit, maxBytes),
    }
    const reader = new LogReader(store, bus, async () => live, { pollMs: 600_000, progressMs: 600_000 })
    const follower = reader.follow(session, { filter: ALL }, new AbortController().signal)
    await follower.next()
    live = REFUSING_LOG
    log.append(line('last'))
    await end()
    const entries = await readAll(follower)
    expect(entries.map(({ kind }) => kind)).toEqual(['CONSOLE_MESSAGE', 'STATUS_CHANGE'])
  })
})
