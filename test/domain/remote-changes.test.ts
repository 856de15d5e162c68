import { afterEach, expect, test, vi } from 'vitest'
import { RemoteChanges, type RemoteWatch } from '../../src/domain/local/remote-changes.ts'
import { createLogger } from '../../src/logger.ts'
import type { SessionRecord } from '../../src/ports/sessions/session-record.ts'
import type { SessionQuery } from '../../src/ports/store/store.ts'
import { sampleSession } from '../contracts/store-samples.ts'

const OWN = 'this machine'

/** The sessions of all machines as the database has them, and what is announced of them. */
function sceneOf(sessions: Map<string, SessionRecord>) {
  const announced: string[] = []
  const isHere = vi.fn((_: string) => false)
  const hasOthers = vi.fn(() => true)
  const findSessions = vi.fn(async (ids: readonly string[]) => ids.flatMap((id) => sessions.get(id) ?? []))
  const listSessions = vi.fn(async ({ filter: { status }, limit }: SessionQuery) => {
    const newestFirst = [...sessions.values()].toReversed().filter((one) => !status || status.includes(one.status))
    return { records: newestFirst.slice(0, limit), hasMore: newestFirst.length > limit }
  })
  const store = { findSession: async (id: string) => sessions.get(id) ?? null, findSessions, listSessions }
  const changes = new RemoteChanges({
    store,
    bus: { subscribe: () => () => {} },
    machineId: OWN,
    isHere,
    hasOthers,
    announce: ({ id, status }) => announced.push(`${id} ${status}`),
    logger: createLogger('silent'),
  })
  return { changes, announced, isHere, hasOthers, findSessions }
}

const open: RemoteWatch[] = []
afterEach(() => open.splice(0).forEach((watch) => watch.close()))

function follow({ changes }: { changes: RemoteChanges }): RemoteWatch {
  const watch = changes.owner('owner')
  open.push(watch)
  return watch
}

const running = (members: Partial<SessionRecord> = {}) =>
  sampleSession({ owner: 'owner', status: 'RUNNING', machineId: 'another', ...members })
const ended = (session: SessionRecord): SessionRecord => ({
  ...session,
  status: 'CLOSED',
  endReason: 'TERMINATED',
  endedAt: session.createdAt + 1,
})

function sessionsOf(...records: SessionRecord[]): Map<string, SessionRecord> {
  return new Map(records.map((record) => [record.id, record]))
}

test('the ends of many sessions cost one query, and are told once', async () => {
  const all = Array.from({ length: 40 }, () => running())
  const sessions = sessionsOf(...all)
  const scene = sceneOf(sessions)
  const watch = follow(scene)
  expect(await watch.look()).toHaveLength(40)
  scene.announced.splice(0)
  for (const session of all) sessions.set(session.id, ended(session))
  await watch.look()
  await watch.look()
  expect(scene.announced.toSorted()).toEqual(all.map(({ id }) => `${id} CLOSED`).toSorted())
  expect(scene.findSessions).toHaveBeenCalledTimes(1)
})

test('a session that begins and ends between two looks is told of; what had ended before is not', async () => {
  const before = ended(running())
  const sessions = sessionsOf(before)
  const scene = sceneOf(sessions)
  const watch = follow(scene)
  scene.hasOthers.mockReturnValueOnce(false)
  expect(await watch.look()).toEqual([])
  expect(await watch.look()).toEqual([])
  const short = ended(running())
  sessions.set(short.id, short)
  await watch.look()
  await watch.look()
  expect(scene.announced).toEqual([`${short.id} CLOSED`])
})

test('a session of this machine that ends during a look is not announced as running again', async () => {
  const own = running({ machineId: OWN })
  const scene = sceneOf(sessionsOf(own))
  const watch = follow(scene)
  // The database has it as running; here it has ended, which it announced itself.
  expect(await watch.look()).toEqual([])
  expect(scene.announced).toEqual([])
})
