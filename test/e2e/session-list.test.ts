import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { leakGate } from '../support/leak-gate.ts'
import { sessionApi } from '../support/session-api.ts'
import { startTestApp, type TestApp } from '../support/start-app.ts'
import { startTestSite, type TestSite } from '../support/test-site.ts'

leakGate()

let site: TestSite
let tabwire: TestApp

beforeAll(async () => {
  site = await startTestSite()
  tabwire = await startTestApp({ warmBrowsers: 1 })
})

afterAll(async () => {
  await tabwire.close()
  await site.close()
})

const { start, terminate } = sessionApi(() => tabwire)

describe('sessions', () => {
  test('newest first; live ones, unless asked otherwise; by cursor and by offset; totalCount', async () => {
    const names = ['list-1', 'list-2', 'list-3', 'list-4', 'list-5']
    const ids: string[] = []
    for (const name of names) {
      const { id } = await start({ name, metadata: { list: true } }, 'CREATING')
      ids.unshift(id)
      if (name !== 'list-5') await terminate(id)
    }
    const list = async (args: string) => {
      const query = `{ sessions(${args}) { nodes { id name } edges { cursor } totalCount pageInfo { hasNextPage hasPreviousPage endCursor startCursor } } }`
      type Page = {
        sessions: {
          nodes: { id: string; name: string }[]
          edges: { cursor: string }[]
          totalCount: number
          pageInfo: { hasNextPage: boolean; hasPreviousPage: boolean; endCursor: string; startCursor: string }
        }
      }
      return (await tabwire.query<Page>(query)).sessions
    }
    const filter = 'filter: {metadata: {list: true}}'
    const live = await list(filter)
    expect(live).toMatchObject({ nodes: [{ name: 'list-5' }], totalCount: 1, pageInfo: { hasNextPage: false } })
    const all = await list(`includeTerminated: true, ${filter}`)
    expect(all.nodes.map(({ id }) => id)).toEqual(ids)
    expect(all.totalCount).toBe(5)
    const first = await list(`first: 2, includeTerminated: true, ${filter}`)
    expect(first.nodes.map(({ id }) => id)).toEqual(ids.slice(0, 2))
    expect(first.pageInfo).toMatchObject({ hasNextPage: true, hasPreviousPage: false })
    const next = await list(`first: 3, after: "${first.pageInfo.endCursor}", includeTerminated: true, ${filter}`)
    expect(next.nodes.map(({ id }) => id)).toEqual(ids.slice(2))
    expect(next.pageInfo.hasNextPage).toBe(false)
    const offset = await list(`first: 2, offset: 3, includeTerminated: true, ${filter}`)
    expect(offset.nodes.map(({ id }) => id)).toEqual(ids.slice(3))
    const back = await list(`last: 2, before: "${next.pageInfo.startCursor}", includeTerminated: true, ${filter}`)
    expect(back.nodes.map(({ id }) => id)).toEqual(ids.slice(0, 2))
    const ended = await list(`filter: {status: [CLOSED], metadata: {list: true}}`)
    expect(ended.totalCount).toBe(4)
    expect(await list(`filter: {name: "list-3"}, includeTerminated: true`)).toMatchObject({ nodes: [{ id: ids[2] }] })
    await terminate(ids[0]!)
  })

  test.each([
    ['first: 0', 'BAD_USER_INPUT'],
    ['first: 101', 'BAD_USER_INPUT'],
    ['last: 101', 'BAD_USER_INPUT'],
    ['offset: -1', 'BAD_USER_INPUT'],
    ['offset: 1, after: "x"', 'BAD_USER_INPUT'],
    ['after: "x"', 'CURSOR_INVALID'],
  ])('%s is %s', async (args, code) => {
    const { errors } = await tabwire.send(`{ sessions(${args}) { nodes { id } } }`)
    expect(errors?.[0]?.extensions.code).toBe(code)
  })
})

describe('sessionChanged', () => {
  const WATCH = `subscription ($id: ID) { sessionChanged(id: $id) { id status endReason title networkRequestCount } }`
  type Changed = {
    sessionChanged: { id: string; status: string; endReason: string | null; title: string; networkRequestCount: number }
  }

  test('with id: the present, each status, the last state, and completes after the end', async () => {
    const { id } = await start({ initialPrompt: `${site.url}/spa` }, 'LOADED')
    const seen: Changed['sessionChanged'][] = []
    const changes = tabwire.client().iterate<Changed>({ query: WATCH, variables: { id } })
    for await (const { data } of changes) {
      seen.push(data!.sessionChanged)
      if (seen.length === 1) void terminate(id)
    }
    expect(seen[0]?.status).toBe('RUNNING')
    expect(seen.at(-1)).toMatchObject({ id, status: 'CLOSED', endReason: 'TERMINATED' })
    const after: unknown[] = []
    for await (const { data } of tabwire.client().iterate({ query: WATCH, variables: { id } })) after.push(data)
    expect(after).toMatchObject([{ sessionChanged: { status: 'CLOSED' } }])
  })

  test('without id: the live ones, then every change of every session', async () => {
    const earlier = await start()
    const changes = tabwire.client().iterate<Changed>({ query: WATCH })
    const seen: [string, string][] = []
    const until = async (id: string, status: string) => {
      while (!seen.some(([seenId, seenStatus]) => seenId === id && seenStatus === status)) {
        const { value } = (await changes.next()) as { value: { data: Changed } }
        seen.push([value.data.sessionChanged.id, value.data.sessionChanged.status])
      }
    }
    await until(earlier.id, 'RUNNING')
    const later = await start()
    await until(later.id, 'RUNNING')
    await terminate(later.id)
    await until(later.id, 'CLOSED')
    const statuses = seen.filter(([id]) => id === later.id).map(([, status]) => status)
    expect([...new Set(statuses)]).toEqual(['CREATING', 'RUNNING', 'CLOSED'])
    await changes.return?.()
    await terminate(earlier.id)
  })

  test('an unknown session is NOT_FOUND', async () => {
    const unknown = Buffer.from('Session:00000000-0000-7000-8000-000000000000').toString('base64')
    const first = await tabwire
      .client()
      .iterate({ query: WATCH, variables: { id: unknown } })
      .next()
    expect(first.value).toMatchObject({ errors: [{ extensions: { code: 'NOT_FOUND' } }] })
  })
})
