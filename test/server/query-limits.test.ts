import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { getIntrospectionQuery } from 'graphql'
import { pino } from 'pino'
import { describe, expect, test } from 'vitest'
import type { Domain } from '../../src/schema/base/context.ts'
import { GraphqlOperations } from '../../src/server/graphql/graphql.ts'
import { QUERY_LIMITS } from '../../src/server/graphql/query-limits.ts'

const operations = new GraphqlOperations({} as Domain, pino({ level: 'silent' }))

/** "runs", or the error codes. */
function outcome(query: string, variables?: Record<string, unknown>): string {
  const prepared = operations.prepare({ query, variables })
  return 'type' in prepared ? 'runs' : prepared.map(({ extensions }) => extensions['code']).join()
}

const times = (count: number, text: (index: number) => string) =>
  Array.from({ length: count }, (_, i) => text(i)).join(' ')

const ENTRY_FIELDS = `
  __typename id sessionId cursor sequence at
  ... on ConsoleMessage { level source text location { url line column } stack truncated pageId }
  ... on NetworkRequest {
    startedAt url method resourceType status failure durationMs requestBytes responseBytes fromCache redirectedFrom
    requestHeaders responseHeaders timing { queuedMs dnsMs connectMs tlsMs waitingMs downloadMs } pageId
  }
  ... on Navigation { url sameDocument }
  ... on StatusChange { from to endReason }
  ... on EntriesDropped { reason count kinds }`

describe('what ordinary front ends ask for runs', () => {
  test.each([
    ['introspection', getIntrospectionQuery({ inputValueDeprecation: true, schemaDescription: true, oneOf: true })],
    ['a page of the log with everything', `{ session(id: "x") { events(first: 1000) { nodes { ${ENTRY_FIELDS} } } } }`],
    [
      'a dashboard',
      `{ sessions(first: 100) { totalCount pageInfo { hasNextPage endCursor } edges { cursor node {
          id name status createdAt currentUrl title consoleMessageCount networkRequestCount pendingRequestCount
          health { status latencyMs } pages { id url title } consoleMessages(last: 5) { nodes { level text at } }
        } } } capacity { total live } viewer { owner } }`,
    ],
    [
      'all logs of a session at once',
      `{ session(id: "x") { consoleMessages(first: 1000) { totalCount nodes { id at level text } }
         networkRequests(first: 1000) { totalCount nodes { id at url status durationMs } } } }`,
    ],
    ['the whole log, live', `subscription { sessionEvents(sessionId: "x") { entries { ${ENTRY_FIELDS} } cursor } }`],
    ['a dozen starts', `mutation { ${times(12, (i) => `s${i}: startSession { id }`)} }`],
  ])('%s', (_, query) => {
    expect(outcome(query)).toBe('runs')
  })

  test('the examples, as one document', () => {
    const text = readFileSync(join(import.meta.dirname, '../../examples/05-resume.graphql'), 'utf8')
    expect(outcome(text, { session: 'x' })).toBe('runs')
  })
})

test('bodies are read for a page of requests, and not for many times as many', () => {
  const requests = (count: number) =>
    `{ session(id: "x") { networkRequests(first: 1000) { nodes { url ${times(count, (i) => `u${i}: responseBody { text base64 }`)} } } } }`
  expect(outcome(requests(2))).toBe('runs')
  expect(outcome(requests(8))).toBe('QUERY_TOO_COMPLEX')
})

test('links are signed for a page of requests with both bodies, and not for many times as many', () => {
  const requests = (urls: number) =>
    `{ session(id: "x") { networkRequests(first: 1000) { nodes { url requestBody { url } responseBody { ${times(urls, (i) => `u${i}: url`)} } } } } }`
  expect(outcome(requests(1))).toBe('runs')
  expect(outcome(requests(6))).toBe('QUERY_TOO_COMPLEX')
  const artifacts = (fields: string) => `{ session(id: "x") { artifacts(first: 100) { nodes { ${fields} } } } }`
  expect(outcome(artifacts('url viewerUrl link { url viewerUrl expiresAt }'))).toBe('runs')
  for (const field of ['url', 'viewerUrl', 'link { url }', 'link { viewerUrl }']) {
    expect(outcome(artifacts(times(65, (i) => `u${i}: ${field}`)))).toBe('QUERY_TOO_COMPLEX')
  }
  const access = (fields: string) => `{ sessions(first: 100) { nodes { ${fields} } } }`
  for (const field of ['cdpUrl', 'liveViewUrl']) {
    expect(outcome(access(times(65, (i) => `u${i}: access { ${field} }`)))).toBe('QUERY_TOO_COMPLEX')
  }
})

describe('what asks for endless work is QUERY_TOO_COMPLEX', () => {
  const PAGE = 'sessions(first: 100) { nodes { id name status } }'
  test.each([
    ['logs of many sessions', '{ sessions(first: 100) { nodes { events(first: 1000) { nodes { id } } } } }'],
    ['aliases of a page', `{ ${times(260, (i) => `a${i}: ${PAGE}`)} }`],
    ['aliases of a mutation', `mutation { ${times(150, (i) => `s${i}: startSession { id }`)} }`],
    [
      'counts by the hundred',
      `{ ${times(40, (i) => `a${i}: sessions(first: 100) { nodes { events { totalCount } } }`)} }`,
    ],
    [
      'a page in fragments',
      `{ ${times(260, (i) => `a${i}: sessions(first: 100) { ...F }`)} } fragment F on SessionConnection { nodes { id name status } }`,
    ],
    [
      'fragments that double',
      `{ ...F0 } ${times(200, (i) => `fragment F${i} on Query { ...F${i + 1} ...F${i + 1} }`)} fragment F200 on Query { __typename }`,
    ],
    ['one name again and again', `{ ${times(400, () => 'session(id: "x") { id }')} }`],
    ['a long document', `{ ${'__typename '.repeat(QUERY_LIMITS.tokens)} }`],
    ['a document of comments', `${'#\n'.repeat(QUERY_LIMITS.tokens + 1)} { __typename }`],
    ['brackets without end', `{ session(id: ${'['.repeat(2000)}${']'.repeat(2000)}) { id } }`],
    ['inline fragments within each other', `{ ${'... { '.repeat(250)} __typename ${'}'.repeat(250)} }`],
  ])('%s', (_, query) => {
    const before = process.threadCpuUsage()
    expect(outcome(query)).toMatch(/^QUERY_TOO_COMPLEX/)
    // CPU time, independent of other load.
    expect(process.threadCpuUsage(before).user).toBeLessThan(1_500_000)
  })

  test('also when a variable says how much', () => {
    const query = 'query ($n: Int) { session(id: "x") { events(first: $n) { nodes { id sequence } } } }'
    expect(outcome(query, { n: 1000 })).toBe('runs')
    expect(outcome(query, { n: 2_000_000_000 })).toBe('QUERY_TOO_COMPLEX')
    expect(outcome(query.replace('first', 'last'), { n: 2_000_000_000 })).toBe('QUERY_TOO_COMPLEX')
    expect(outcome(query.replace('$n: Int', '$n: Int = 2000000000'))).toBe('QUERY_TOO_COMPLEX')
  })

  test('less than nothing counts as one, and is refused where the rule is', () => {
    const page = (first: number) => `sessions(first: ${first}) { nodes { events(first: 1000) { nodes { id } } } }`
    expect(outcome(`{ a: ${page(100)} b: ${page(-100)} }`)).toBe('QUERY_TOO_COMPLEX')
  })

  test('brackets in strings and comments are none', () => {
    const brackets = '['.repeat(500)
    expect(outcome(`# ${brackets}\n{ session(id: "\\"${brackets}") { id } }`)).toBe('runs')
    expect(outcome(`{ session(id: """ \\""" " ${brackets}""") { id } }`)).toBe('runs')
  })

  test('an unfinished string does not hide what follows', () => {
    expect(outcome(`{ session(id: "abc\n${'['.repeat(2000)}`)).toBe('QUERY_TOO_COMPLEX')
  })
})

test('introspection that nests is refused by its own rule', () => {
  const query = '{ __schema { types { fields { type { fields { type { fields { type { fields { name } } } } } } } } } }'
  expect(outcome(query)).toBe('GRAPHQL_VALIDATION_FAILED')
})

describe('variables', () => {
  const START = 'mutation ($input: StartSessionInput) { startSession(input: $input) { id } }'

  test('of wrong types are BAD_USER_INPUT with every issue', () => {
    const prepared = operations.prepare({
      query: START,
      variables: { input: { name: 3, viewport: { width: 'x' }, keepAlive: 'yes', browser: 'NETSCAPE' } },
    })
    const [error] = 'type' in prepared ? [] : prepared
    expect(error?.extensions['code']).toBe('BAD_USER_INPUT')
    expect(error?.extensions['issues']).toEqual([
      { path: ['input', 'name'], code: 'INVALID_FORMAT', message: expect.stringContaining('String') },
      { path: ['input', 'browser'], code: 'INVALID_FORMAT', message: expect.stringContaining('NETSCAPE') },
      { path: ['input', 'viewport', 'width'], code: 'INVALID_FORMAT', message: expect.stringContaining('Int') },
      { path: ['input', 'viewport', 'height'], code: 'REQUIRED', message: expect.stringContaining('height') },
      { path: ['input', 'keepAlive'], code: 'INVALID_FORMAT', message: expect.stringContaining('Boolean') },
    ])
  })

  test('with members that there are not are GRAPHQL_VALIDATION_FAILED, as in the text itself', () => {
    expect(outcome(START, { input: { id: 'mine' } })).toBe('GRAPHQL_VALIDATION_FAILED')
    expect(outcome('mutation { startSession(input: { id: "mine" }) { id } }')).toBe('GRAPHQL_VALIDATION_FAILED')
    expect(outcome(START, { input: { id: 'mine', name: 3 } })).toBe('GRAPHQL_VALIDATION_FAILED,BAD_USER_INPUT')
  })

  test.each([
    ['absent', {}],
    ['null', { id: null }],
    ['no date', { id: 'x', at: 'yesterday' }],
  ])('%s', (_, variables) => {
    const query =
      'query ($id: ID!, $at: DateTime) { session(id: $id) { id } sessions(filter: { createdAfter: $at }) { totalCount } }'
    expect(outcome(query, variables)).toBe('BAD_USER_INPUT')
    expect(outcome(query, { id: 'x', at: '2026-01-01T00:00:00+02:00' })).toBe('runs')
  })

  test('that no operation declares are ignored, as clients send them', () => {
    expect(outcome('{ __typename }', { further: 1 })).toBe('runs')
  })

  test.each([
    ['several operations and no name', 'query A { __typename } query B { __typename }', undefined],
    ['a name that is none of theirs', 'query A { __typename }', 'B'],
    ['no operation', 'fragment F on Query { __typename }', undefined],
  ])('%s', (_, query, operationName) => {
    const prepared = operations.prepare({ query, operationName })
    expect('type' in prepared).toBe(false)
  })
})
