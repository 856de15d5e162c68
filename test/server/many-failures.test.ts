import { execute, GraphQLInt, GraphQLList, GraphQLObjectType, GraphQLSchema, GraphQLString, parse } from 'graphql'
import { afterEach, expect, test, vi } from 'vitest'
import { boundFailures, Failures, MAX_FAILURES } from '../../src/schema/base/failures.ts'
import type { LogEntry } from '../../src/ports/log/log-entry.ts'
import { batchOf, SESSION_ID, startFakeServer, type FakeOptions, type FakeServer } from './fake-server.ts'

/** Each field of each item of a page may fail, by an argument that is wrong for all of them. */

let server: FakeServer | undefined
afterEach(async () => {
  await server?.close()
  server = undefined
})

const body = {
  contentType: 'text/plain',
  sizeBytes: 1,
  truncated: 0,
  encoding: 'UTF8',
  inline: 'x',
  sha256: null,
} as const

function request(sequence: number): LogEntry {
  const data = { requestId: sequence, responseBody: body, responseBodyOmitted: null }
  return { kind: 'NETWORK_REQUEST', sequence, at: 0, data } as unknown as LogEntry
}

const requests = (count: number) => Array.from({ length: count }, (_, index) => request(index + 1))

async function start(options: FakeOptions = {}) {
  const page = async () => ({
    entries: requests(1_000),
    hasNextPage: false,
    hasPreviousPage: false,
    startCursor: null,
    endCursor: null,
    totalCount: async () => 1_000,
  })
  server = await startFakeServer({ logs: { page }, ...options })
  return vi.spyOn(server.links, 'terms')
}

interface Answer {
  data: { session: { networkRequests: { nodes: Record<string, { url: string } | null>[] } } } | null
  errors?: { message: string; path?: unknown[]; extensions: Record<string, unknown> }[]
}

async function ask(query: string, accept = 'application/json'): Promise<Response> {
  return fetch(`${server!.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': 'reader', accept },
    body: JSON.stringify({ query }),
  })
}

const urls = (count: number, ttlSeconds: number) =>
  Array.from({ length: count }, (_, index) => `u${index}: responseBody { url(ttlSeconds: ${ttlSeconds}) }`).join(' ')
const page = (fields: string) =>
  `{ session(id: "${SESSION_ID}") { networkRequests(first: 1000) { nodes { ${fields} } } } }`
const TOO_MANY = { code: 'RESPONSE_TOO_LARGE', maxErrors: MAX_FAILURES }

test('a response has as many errors as a page has items, each with its path', async () => {
  await start()
  const { data, errors } = (await (await ask(page(`${urls(1, 0)} other: responseBody { url }`))).json()) as Answer
  expect(errors).toHaveLength(1_000)
  expect(errors!.at(-1)!.extensions['code']).toBe('BAD_USER_INPUT')
  expect(errors!.at(-1)!.path).toEqual(['session', 'networkRequests', 'nodes', 999, 'u0', 'url'])
  const nodes = data!.session.networkRequests.nodes
  expect(nodes.every(({ u0, other }) => u0 === null && typeof other?.url === 'string')).toBe(true)
})

test('beyond that it is RESPONSE_TOO_LARGE, and nothing more is tried', async () => {
  const tried = await start()
  const { data, errors } = (await (await ask(page(urls(5, 0)))).json()) as Answer
  expect(data).toBeNull()
  expect(errors?.map(({ extensions }) => extensions)).toEqual([TOO_MANY])
  expect(tried.mock.calls.length).toBeLessThanOrEqual(MAX_FAILURES + 1)
  // The next operation starts anew.
  expect(((await (await ask(page('other: responseBody { url }'))).json()) as Answer).errors).toBeUndefined()
})

test('failures that come later count, too', async () => {
  const made: unknown[] = []
  const fields = {
    late: {
      type: GraphQLString,
      args: { any: { type: GraphQLInt } },
      resolve: async () => {
        const error = new Error('late')
        made.push(error)
        throw error
      },
    },
  }
  const Item = new GraphQLObjectType({ name: 'Item', fields })
  const items = { type: new GraphQLList(Item), resolve: () => Array.from({ length: MAX_FAILURES + 500 }, () => ({})) }
  const schema = boundFailures(
    new GraphQLSchema({ query: new GraphQLObjectType({ name: 'Query', fields: { items } }) }),
  )
  const failures = new Failures()
  const { errors } = await execute({ schema, document: parse('{ items { late } }'), contextValue: { failures } })
  expect(made).toHaveLength(MAX_FAILURES + 500)
  expect(failures.areTooMany).toBe(true)
  // All others are one error.
  expect(new Set(errors).size).toBe(MAX_FAILURES + 1)
})

test('an event of a subscription with too many ends it', async () => {
  await start({ produce: (pull) => (pull < 3 ? batchOf(requests(500), false) : null) })
  const query = `subscription { networkRequests(sessionId: "${SESSION_ID}") { entries { ${urls(3, 0)} } } }`
  const text = await (await ask(query, 'text/event-stream')).text()
  const results = [...text.matchAll(/^data: (\{.*)$/gm)].map(([, json]) => JSON.parse(json!) as Answer)
  expect(results.map(({ errors }) => errors?.map(({ extensions }) => extensions))).toEqual([[TOO_MANY]])
  expect(text).toContain('event: complete')
})
