import { afterEach, expect, test } from 'vitest'
import type { SessionSnapshot } from '../../src/domain/log/entries/session-snapshot.ts'
import { HandleSet } from '../../src/domain/sessions/handle-set.ts'
import type { SessionHandle } from '../../src/domain/sessions/session-handle.ts'
import { createLogger } from '../../src/logger.ts'
import { startFakeServer, type FakeServer } from './fake-server.ts'

const NAMES = ['answering', 'silent', 'ended']
const HEALTH = { status: 'HEALTHY', browserResponsive: true, latencyMs: 1, currentUrl: null, uptimeMs: 1 } as const

const snapshot = (name: string, index: number) =>
  ({
    id: `01939b5e-7c1a-7e2b-8d3f-0a1b2c3d4e5${index}`,
    owner: 'me',
    name,
    status: name === 'ended' ? 'CLOSED' : 'RUNNING',
    createdAt: 1_000,
    startedAt: 1_000,
    endedAt: name === 'ended' ? 3_000 : null,
    currentUrl: null,
  }) as SessionSnapshot

const handleOf = ({ id, name }: SessionSnapshot) => {
  const isSilent = name === 'silent'
  const never = new Promise<never>(() => {})
  const handle: Partial<SessionHandle> = {
    sessionId: id,
    pages: () => (isSilent ? never : Promise.resolve([{ pageId: 'p1', url: 'about:blank', title: '' }])),
    health: () => (isSilent ? never : Promise.resolve(HEALTH)),
  }
  return handle as SessionHandle
}

let server: FakeServer

afterEach(() => server.close())

test('pages and health of a list are one question each, with null where no answer came in time', async () => {
  const sessions = NAMES.map(snapshot)
  const asked: (readonly string[])[] = []
  server = await startFakeServer({
    sessions: {
      list: async () => ({ sessions, hasNextPage: false, hasPreviousPage: false, totalCount: async () => 3 }),
      handles: async (ids) => {
        asked.push(ids)
        const live = sessions.filter(({ id, name }) => ids.includes(id) && name !== 'ended')
        return new HandleSet(live.map(handleOf), createLogger('silent'), 1)
      },
    },
  })
  const response = await fetch(`${server.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': 'reader' },
    body: JSON.stringify({ query: '{ sessions { nodes { name pages { id } health { status uptimeMs } } } }' }),
  })
  expect(await response.json()).toEqual({
    data: {
      sessions: {
        nodes: [
          { name: 'answering', pages: [{ id: 'p1' }], health: { status: 'HEALTHY', uptimeMs: 1 } },
          { name: 'silent', pages: null, health: null },
          { name: 'ended', pages: [], health: { status: 'ENDED', uptimeMs: 2_000 } },
        ],
      },
    },
  })
  const ids = sessions.map(({ id }) => id)
  expect(asked).toEqual([ids, ids])
})
