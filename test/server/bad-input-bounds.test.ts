import { createClient } from 'graphql-sse'
import { buildClientSchema, getIntrospectionQuery, type GraphQLFormattedError, type IntrospectionQuery } from 'graphql'
import { pino } from 'pino'
import { afterEach, describe, expect, test } from 'vitest'
import { ISSUE_LIMITS, type InputIssue } from '../../src/domain/kernel/errors.ts'
import type { Domain } from '../../src/schema/base/context.ts'
import { GraphqlOperations, type OperationRequest } from '../../src/server/graphql/graphql.ts'
import { QUERY_LIMITS } from '../../src/server/graphql/query-limits.ts'
import { VARIABLE_LIMITS } from '../../src/server/graphql/variables.ts'
import { SESSION_ID, startFakeServer, type FakeServer } from './fake-server.ts'
import { initRawSocket } from './raw-socket.ts'

const operations = new GraphqlOperations({} as Domain, pino({ level: 'silent' }))
const MAX = ISSUE_LIMITS.issues
/** Larger than any error response. */
const MAX_BYTES = 30_000

interface Refused extends GraphQLFormattedError {
  extensions: { code: string; issues?: InputIssue[]; hasMoreIssues?: true }
}

/** The errors of a request, as they are written. */
function refusalOf(query: string, variables?: Record<string, unknown>, operationName?: string): Refused[] {
  const request: OperationRequest = { query, variables, operationName }
  const prepared = operations.prepare(request)
  if ('type' in prepared) return []
  const text = JSON.stringify(prepared)
  expect(text.length).toBeLessThan(MAX_BYTES)
  return JSON.parse(text) as Refused[]
}

const codes = (errors: readonly Refused[]) => [...new Set(errors.map(({ extensions }) => extensions.code))].join()
const many = (count: number, text: (index: number) => string) =>
  Array.from({ length: count }, (_, index) => text(index)).join(' ')
const wide = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, index) => [`member${index}`, 1]))

const RUN =
  'mutation ($id: ID!, $actions: [ActionInput!]!) { runActions(sessionId: $id, actions: $actions) { success } }'
const KINDS = `query ($kinds: [SessionEventKind!]) { session(id: "x") { events(kinds: $kinds) { nodes { id } } } }`
const START = 'mutation ($input: StartSessionInput) { startSession(input: $input) { id } }'

describe('mistakes in variables are told at once, up to a bound', () => {
  test('each of as many as the bound', () => {
    const [error] = refusalOf(KINDS, { kinds: Array(MAX).fill(1) })
    expect(error?.extensions.issues?.map(({ path }) => path)).toEqual(
      Array.from({ length: MAX }, (_, index) => ['kinds', index]),
    )
    expect(error?.extensions.hasMoreIssues).toBeUndefined()
    expect(error?.message).not.toMatch(/and more$/)
  })

  test('and that there are more', () => {
    const [error] = refusalOf(KINDS, { kinds: Array(20_000).fill(1) })
    expect(error?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', hasMoreIssues: true })
    expect(error?.extensions.issues).toHaveLength(MAX)
    expect(error?.message).toMatch(/; and more$/)
  })

  test.each([
    ['members that there are not, in each of many', { id: 'x', actions: Array(20_000).fill({ x: 1 }) }],
    ['members that there are not, in one', { id: 'x', actions: [wide(40_000)] }],
    ['what the members hold is long', { id: 'x', actions: [{ ...wide(30), long: 'x'.repeat(900_000) }] }],
  ])('%s', (_, variables) => {
    const errors = refusalOf(RUN, variables)
    expect(codes(errors)).toMatch(/^GRAPHQL_VALIDATION_FAILED/)
    expect(errors.length).toBeLessThanOrEqual(MAX + 1)
    expect(errors.at(-1)?.extensions.hasMoreIssues).toBe(true)
  })

  test('what is wrong with a long text is told with the beginning of it', () => {
    const [error] = refusalOf(KINDS, { kinds: ['X'.repeat(900_000)] })
    expect(error?.extensions.issues?.[0]?.message.length).toBeLessThanOrEqual(ISSUE_LIMITS.messageLength + 1)
  })
})

test('members that there are not are told one by one, up to the bound', () => {
  const errors = (count: number) => refusalOf(START, { input: wide(count) })
  expect(errors(MAX)).toHaveLength(MAX)
  expect(errors(MAX)[0]?.extensions.hasMoreIssues).toBeUndefined()
  expect(errors(MAX)[0]?.message).toMatch(/"StartSessionInput" at input .* "member0"/)
  expect(errors(MAX + 1)).toHaveLength(MAX)
  expect(errors(MAX + 1)[0]?.extensions.hasMoreIssues).toBe(true)
})

describe('variables that are too large are refused before they are checked', () => {
  test('by the number of their values', () => {
    expect(refusalOf('{ __typename }', { further: Array(VARIABLE_LIMITS.values - 1).fill(0) })).toEqual([])
    const [error] = refusalOf('{ __typename }', { further: Array(VARIABLE_LIMITS.values).fill(0) })
    expect(error?.extensions).toMatchObject({
      code: 'BAD_USER_INPUT',
      issues: [{ path: ['variables'], code: 'TOO_LONG' }],
    })
  })

  test('by the levels that they nest', () => {
    const nested = (levels: number) => JSON.parse(`${'['.repeat(levels)}${']'.repeat(levels)}`) as unknown
    expect(refusalOf(START, { input: { metadata: nested(50) } })).toEqual([])
    for (const levels of [VARIABLE_LIMITS.depth + 1, 400_000]) {
      const [error] = refusalOf(START, { input: { metadata: nested(levels) } })
      expect(error?.extensions.issues).toMatchObject([{ path: ['variables'], code: 'TOO_LONG' }])
    }
  })

  test('by the objects that each field of their type is looked for in', () => {
    const actions = (count: number) => Array(count).fill({ click: { target: { css: 'a' } } })
    expect(refusalOf(RUN, { id: 'x', actions: actions(100) })).toEqual([])
    const [error] = refusalOf(RUN, { id: 'x', actions: actions(12_000) })
    expect(error?.extensions.issues).toMatchObject([{ path: ['variables'], code: 'TOO_LONG' }])
  })

  test('and the largest input that the schema accepts is not', () => {
    const one = { css: 'a', as: 'ATTRIBUTE', attribute: 'b' }
    const fields = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`f${index}`, one]))
    const action = { extract: { target: { css: 'a' }, as: 'LIST', fields } }
    expect(refusalOf(RUN, { id: 'x', actions: Array(100).fill(action) })).toEqual([])
  })
})

describe('the refusal of a document is small, whatever is wrong with it', () => {
  test.each([
    ['a thousand fields that there are not', `{ ${many(2_000, (index) => `a${index}`)} }`],
    [
      'a long text beside them',
      `mutation { startSession(input: { ${many(60, (i) => `a${i}: 1`)} b: "${'x'.repeat(900_000)}" }) { id } }`,
    ],
    ['a long name', `{ ${'a'.repeat(900_000)} }`],
    [
      'fragments in many circles',
      `{ ...F0 } ${many(100, (i) => `fragment F${i} on Query { ${many(8, (j) => `...F${(i + j + 1) % 100}`)} }`)}`,
    ],
    ['far down', `${'\n'.repeat(900_000)}{ ${many(50, (index) => `a${index}`)} }`],
  ])('%s', (_, query) => {
    expect(codes(refusalOf(query))).toBe('GRAPHQL_VALIDATION_FAILED')
  })

  test('the place of an error is told, unless the lines before it are too many to count', () => {
    const broken = (lines: number) => refusalOf(`${'\n'.repeat(lines)}{ nonsense }`)[0]
    expect(broken(10)?.locations).toEqual([{ line: 11, column: 3 }])
    expect(broken(QUERY_LIMITS.linesWithPlaces + 1)?.locations).toBeUndefined()
  })

  test('and that of an operation name', () => {
    expect(codes(refusalOf('query A { __typename }', {}, 'x'.repeat(900_000)))).toBe('BAD_USER_INPUT')
  })
})

describe('introspection counts by what it lists', () => {
  const TYPE = `fragment T on __Type { name kind description fields(includeDeprecated: true) { name description args { name type { name ofType { name } } } type { name ofType { name } } } enumValues { name } possibleTypes { name } }`

  test.each([
    ['GraphiQL', getIntrospectionQuery({ schemaDescription: true, inputValueDeprecation: true })],
    ['code generators', getIntrospectionQuery()],
    [
      'everything that there is to ask',
      getIntrospectionQuery({
        descriptions: true,
        specifiedByUrl: true,
        directiveIsRepeatable: true,
        schemaDescription: true,
        inputValueDeprecation: true,
        oneOf: true,
      }),
    ],
    ['a type', '{ __type(name: "Session") { name fields { name args { name } type { name ofType { name } } } } }'],
    ['names', '{ __schema { types { name fields { name } } } }'],
    ['__typename everywhere', '{ __typename sessions(first: 100) { __typename nodes { __typename id } } }'],
  ])('what tools ask for runs: %s', (_, query) => {
    expect(refusalOf(query)).toEqual([])
  })

  test.each([
    ['the schema again and again', `{ ${many(60, (i) => `a${i}: __schema { types { ...T } }`)} } ${TYPE}`],
    [
      'in a fragment that is spread',
      `{ ${many(60, (i) => `a${i}: __schema { ...S }`)} } fragment S on __Schema { types { ...T } } ${TYPE}`,
    ],
    ['names by the hundred', `{ ${many(300, (i) => `a${i}: __schema { types { name description } }`)} }`],
    ['a large type by the hundred', `{ ${many(300, (i) => `a${i}: __type(name: "Session") { ...T }`)} } ${TYPE}`],
    [
      'types of fields of types',
      `{ ${many(6, (i) => `a${i}: __schema { types { fields { type { fields { name } } } } }`)} }`,
    ],
  ])('what lists a lot is QUERY_TOO_COMPLEX: %s', (_, query) => {
    expect(codes(refusalOf(query))).toBe('QUERY_TOO_COMPLEX')
  })
})

describe('over every transport', () => {
  let server: FakeServer
  afterEach(() => server.close())
  const payload = { query: RUN, variables: { id: 'x', actions: Array(20_000).fill({ x: 1 }) } }
  const SUBSCRIBE = `subscription ($kinds: [SessionEventKind!]) { sessionEvents(sessionId: "${SESSION_ID}", kinds: $kinds) { cursor } }`
  const kinds = Array(40_000).fill(1)

  test('HTTP', async () => {
    server = await startFakeServer()
    const send = (body: object) =>
      fetch(`${server.url}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-api-key': 'reader' },
        body: JSON.stringify(body),
      }).then((response) => response.text())
    const refused = await send(payload)
    expect(refused).toContain('GRAPHQL_VALIDATION_FAILED')
    expect(refused.length).toBeLessThan(MAX_BYTES)
    // The error names the unknown parameter.
    expect((await send({ query: '{ __typename }', ['x'.repeat(500_000)]: 1 })).length).toBeLessThan(MAX_BYTES)
  })

  test.each(['reader', 'connector'])('the introspection that tools send works with every key: %s', async (key) => {
    server = await startFakeServer()
    const response = await fetch(`${server.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-api-key': key },
      body: JSON.stringify({ query: getIntrospectionQuery() }),
    })
    const { data } = (await response.json()) as { data: IntrospectionQuery }
    expect(buildClientSchema(data).getType('Session')).toBeDefined()
  })

  test('WebSocket', async () => {
    server = await startFakeServer()
    const raw = await initRawSocket(server.url, { 'X-API-Key': 'reader' })
    raw.send({ type: 'subscribe', id: '1', payload })
    const refused = await raw.message('error', '1')
    expect(JSON.stringify(refused).length).toBeLessThan(MAX_BYTES)
    raw.socket.close()
  })

  test('server-sent events', async () => {
    server = await startFakeServer()
    const client = createClient({ url: `${server.url}/graphql`, headers: { 'x-api-key': 'reader' }, retryAttempts: 0 })
    const results = client.iterate({ query: SUBSCRIBE, variables: { kinds } })
    const reported = await results.next().then(
      ({ value }) => JSON.stringify(value ?? null),
      (error: unknown) => String(error),
    )
    expect(reported.length).toBeLessThan(MAX_BYTES)
    expect(server.followers).toEqual([])
    client.dispose()
  })

  test('an id that is used twice closes its socket alone, however long it is', async () => {
    server = await startFakeServer()
    const raw = await initRawSocket(server.url, { 'X-API-Key': 'reader' })
    const id = 'é'.repeat(5_000)
    raw.send({ type: 'subscribe', id, payload: { query: SUBSCRIBE } })
    raw.send({ type: 'subscribe', id, payload: { query: SUBSCRIBE } })
    const { code, reason } = await raw.closed
    expect(code).toBe(4409)
    expect(reason).toMatch(/^Subscriber for é+$/)
    expect(server.logged.filter(({ msg }) => msg === 'a message over WebSocket could not be served')).toEqual([])
  })
})
