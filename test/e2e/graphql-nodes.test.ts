import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { encodeGlobalId } from '../../src/contract/global-id.ts'
import { leakGate } from '../support/leak-gate.ts'
import { startTestApp, type TestApp } from '../support/start-app.ts'
import { startTestSite, type TestSite } from '../support/test-site.ts'
import { readEntireLog } from '../support/entire-log.ts'

leakGate()

let site: TestSite
let tabwire: TestApp
let id: string

beforeAll(async () => {
  site = await startTestSite()
  tabwire = await startTestApp({ warmBrowsers: 1 })
  const start = 'mutation ($url: String) { startSession(input: { initialPrompt: $url }, waitUntil: LOADED) { id } }'
  id = (await tabwire.query<{ startSession: { id: string } }>(start, { url: `${site.url}/console` })).startSession.id
  await tabwire.query('mutation ($id: ID!) { terminateSession(id: $id) { id } }', { id })
})

afterAll(async () => {
  await tabwire.close()
  await site.close()
})

interface Node {
  __typename: string
  id: string
  sessionId: string
  sequence: number
  cursor: string
}

const FIELDS = '__typename id sessionId sequence cursor at'

const events = () => readEntireLog<Node>(tabwire, id, FIELDS)

const fetchNode = async (nodeId: string) => {
  const query = `query ($id: ID!) { node(id: $id) { __typename id ... on SessionEvent { ${FIELDS} } ... on Session { status } } }`
  return (await tabwire.query<{ node: Node | null }>(query, { id: nodeId })).node
}

test('every entry of a log can be fetched again by its id', async () => {
  const nodes = await events()
  const kinds = new Set(nodes.map(({ __typename }) => __typename))
  expect([...kinds]).toEqual(expect.arrayContaining(['StatusChange', 'ConsoleMessage', 'NetworkRequest', 'Navigation']))
  expect(new Set(nodes.map((node) => node.id)).size).toBe(nodes.length)
  for (const node of nodes) {
    expect(node.sessionId).toBe(id)
    expect(await fetchNode(node.id)).toEqual(node)
  }
})

test('a session too, under its own id alone', async () => {
  expect(await fetchNode(id)).toEqual({ __typename: 'Session', id, status: 'CLOSED' })
})

test('an entry under the name of another type, or beyond the log, is null', async () => {
  const uuid = Buffer.from(id, 'base64url').toString().split(':')[1]!
  const message = (await events()).find(({ __typename }) => __typename === 'ConsoleMessage')!
  for (const wrong of [
    encodeGlobalId('Navigation', uuid, message.sequence),
    encodeGlobalId('ConsoleMessage', uuid, 1_000_000),
    encodeGlobalId('ConsoleMessage', uuid),
    encodeGlobalId('NetworkRequest', uuid, 1_000_000),
    encodeGlobalId('Session', uuid, 1),
    encodeGlobalId('ApiKey', uuid),
    encodeGlobalId('Query', uuid),
    encodeGlobalId('Node', uuid),
    encodeGlobalId('SessionConnection', uuid),
    encodeGlobalId('SessionEvent', uuid, message.sequence),
    encodeGlobalId('ConsoleLevel', uuid),
    encodeGlobalId('Nothing', uuid),
    '',
    'nonsense',
  ]) {
    expect([wrong, await fetchNode(wrong)]).toEqual([wrong, null])
  }
})

test('a node that exists needs the scope of its type; what does not exist is null for every key', async () => {
  const create = `mutation ($scopes: [Scope!]!) {
    createApiKey(input: { name: "test", scopes: $scopes }) { secret apiKey { id } } }`
  const keyWith = async (...scopes: string[]) =>
    (await tabwire.query<{ createApiKey: { secret: string; apiKey: { id: string } } }>(create, { scopes })).createApiKey
  const writer = await keyWith('WRITE', 'KEYS')
  const reader = await keyWith('READ')
  const entry = (await events())[0]!.id
  const query = 'query ($id: ID!) { node(id: $id) { id } }'
  for (const [secret, found, refused] of [
    [writer.secret, [reader.apiKey.id], [id, entry]],
    [reader.secret, [id, entry], [reader.apiKey.id]],
  ] as const) {
    for (const nodeId of found)
      expect(await tabwire.query(query, { id: nodeId }, secret)).toEqual({ node: { id: nodeId } })
    for (const nodeId of refused) {
      const { data, errors } = await tabwire.send(query, { id: nodeId }, secret)
      expect([data, errors?.map(({ extensions }) => extensions.code)]).toEqual([{ node: null }, ['FORBIDDEN']])
    }
    const none = encodeGlobalId('ApiKey', Buffer.from(id, 'base64url').toString().split(':')[1]!)
    for (const nodeId of [none, 'nonsense'])
      expect(await tabwire.query(query, { id: nodeId }, secret)).toEqual({ node: null })
  }
})

describe('paging a log', () => {
  const PAGE = `query ($id: ID!, $first: Int, $after: String, $last: Int, $before: String, $filter: ConsoleFilter) {
    session(id: $id) { consoleMessages(first: $first, after: $after, last: $last, before: $before, filter: $filter) {
      totalCount nodes { sequence } edges { cursor node { cursor sequence } }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } }`

  interface Page {
    totalCount: number
    nodes: { sequence: number }[]
    edges: { cursor: string; node: { cursor: string; sequence: number } }[]
    pageInfo: { hasNextPage: boolean; hasPreviousPage: boolean; startCursor: string; endCursor: string }
  }

  const page = async (variables: object) =>
    (await tabwire.query<{ session: { consoleMessages: Page } }>(PAGE, { id, ...variables })).session.consoleMessages

  const sequencesOf = ({ nodes }: Page) => nodes.map(({ sequence }) => sequence)

  test('forward and backward give the same, in the same order', async () => {
    const all = sequencesOf(await page({ first: 1000 }))
    expect(all.length).toBeGreaterThan(10)
    const forward: number[] = []
    for (let after: string | null = null, more = true; more;) {
      const next: Page = await page({ first: 4, after })
      forward.push(...sequencesOf(next))
      expect(next.totalCount).toBe(all.length)
      expect(next.edges.map(({ cursor }) => cursor)).toEqual(next.edges.map(({ node }) => node.cursor))
      more = next.pageInfo.hasNextPage
      after = next.pageInfo.endCursor
    }
    expect(forward).toEqual(all)
    const backward: number[] = []
    for (let before: string | null = null, more = true; more;) {
      const previous: Page = await page({ last: 4, before })
      backward.unshift(...sequencesOf(previous))
      more = previous.pageInfo.hasPreviousPage
      before = previous.pageInfo.startCursor
    }
    expect(backward).toEqual(all)
  })

  test('a filter counts and returns what it lets pass', async () => {
    const errors = await page({ first: 1000, filter: { levels: ['ERROR'], textContains: 'error' } })
    expect(errors.totalCount).toBe(errors.nodes.length)
    expect(errors.nodes.length).toBeGreaterThan(0)
    const none = await page({ first: 10, filter: { textContains: 'nobody says this' } })
    expect([none.totalCount, none.nodes]).toEqual([0, []])
  })
})
