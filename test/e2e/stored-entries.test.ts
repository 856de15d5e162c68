import { Writable } from 'node:stream'
import pg from 'pg'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openStore } from '../../src/adapters/postgres/store.ts'
import { encodeGlobalId } from '../../src/contract/global-id.ts'
import { createLogger } from '../../src/logger.ts'
import { sampleSession } from '../contracts/store-samples.ts'
import { startPostgres, type TestPostgres } from '../support/databases.ts'
import { leakGate } from '../support/leak-gate.ts'
import { startTestApp, type TestApp } from '../support/start-app.ts'

leakGate()

/** Stored entries that the current version would not write: older, damaged and newer ones. */

let postgres: TestPostgres
let tabwire: TestApp
let client: pg.Client
const logged: { msg: string; sessionId?: string; sequence?: number; kind?: string | null; problem?: string }[] = []

beforeAll(async () => {
  postgres = await startPostgres()
  const log = new Writable({
    write(line: Buffer, _, done) {
      logged.push(JSON.parse(line.toString()) as never)
      done()
    },
  })
  const database = { kind: 'server', url: postgres.url } as const
  tabwire = await startTestApp({ database, warmBrowsers: 0 }, pino({ level: 'error' }, log))
  client = new pg.Client({ connectionString: postgres.url })
  await client.connect()
})

afterAll(async () => {
  await client?.end()
  await tabwire?.close()
  await postgres?.close()
})

/** Columns of version 0.1. */
interface Row {
  kind: number
  data: unknown
  at?: string
  request?: number
  version?: number
}

const AT = '2026-01-02T03:04:05.678Z'

/** A session that has ended, whose log has these rows. Returns its id. */
async function keepLog(rows: readonly Row[]): Promise<string> {
  const store = await openStore(
    { kind: 'server', url: postgres.url },
    { dataDir: '/nonexistent', logger: createLogger('silent') },
  )
  const session = sampleSession({ owner: 'admin', status: 'CLOSED', endReason: 'TERMINATED', endedAt: Date.now() })
  await store.insertSession(session, [])
  await store.close()
  for (const [index, { kind, data, at = AT, request = null, version }] of rows.entries()) {
    await client.query(
      `insert into log_entries (session_id, sequence, at, kind, request_id, data) values ($1, $2, $3, $4, $5, $6)`,
      [session.id, index + 1, at, kind, request, JSON.stringify(data)],
    )
    if (version) {
      const place = [session.id, index + 1, version]
      await client.query('update log_entries set version = $3 where session_id = $1 and sequence = $2', place)
    }
  }
  await client.query('update sessions set last_sequence = $2 where id = $1', [session.id, rows.length])
  return session.id
}

const message = (text: string, members: object = {}) => ({
  level: 'LOG',
  source: 'CONSOLE',
  text,
  url: null,
  line: 1,
  column: 2,
  stack: null,
  pageId: 'p1',
  truncated: 0,
  ...members,
})

/** As version 0.1 kept it. */
const request = (requestId: number, members: object = {}) => ({
  requestId,
  startedAt: 1767323045000,
  url: 'http://127.0.0.1/x',
  method: 'GET',
  resourceType: 'FETCH',
  status: 200,
  failure: null,
  durationMs: 1.5,
  requestBytes: 0,
  responseBytes: 1,
  fromCache: false,
  redirectedFrom: null,
  requestHeaders: {},
  responseHeaders: null,
  timing: null,
  pageId: 'p1',
  ...members,
})

interface Entry {
  __typename: string
  id: string
  sequence: number
  [field: string]: unknown
}

interface Page {
  nodes: Entry[]
  pageInfo: { hasNextPage: boolean; hasPreviousPage: boolean; startCursor: string | null; endCursor: string | null }
  totalCount: number
}

interface Batch {
  entries: Entry[]
  live: boolean
  dropped: number
  droppedUnknown: boolean
}

/** Fields of a connection or subscription of one kind. */
const PLAIN = '__typename id sequence at'
const FIELDS = `__typename id sequence at ... on EntriesDropped { reason count kinds firstAt lastAt } ... on ConsoleMessage { text }`

async function readPage(id: string, connection: string, args: string, fields = FIELDS): Promise<Page> {
  const query = `query ($id: ID!) { session(id: $id) { page: ${connection}${args} {
    nodes { ${fields} } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } totalCount } } }`
  return (await tabwire.query<{ session: { page: Page } }>(query, { id: encodeGlobalId('Session', id) })).session.page
}

const sequencesOf = (entries: readonly Entry[]) => entries.map(({ sequence }) => sequence)

async function follow(id: string, field: string, args = '', fields = FIELDS) {
  const query = `subscription ($id: ID!) { log: ${field}(sessionId: $id ${args}) { entries { ${fields} } live dropped droppedUnknown } }`
  const answers = tabwire.client().iterate<{ log: Batch }>({ query, variables: { id: encodeGlobalId('Session', id) } })
  const all: Batch = { entries: [], live: false, dropped: 0, droppedUnknown: false }
  for await (const { data, errors } of answers) {
    if (errors || !data) throw new Error(JSON.stringify(errors))
    all.entries.push(...data.log.entries)
    all.live = data.log.live
    all.dropped += data.log.dropped
    all.droppedUnknown ||= data.log.droppedUnknown
  }
  return all
}

const findNode = async (type: string, id: string, number: number) => {
  const query = `query ($id: ID!) { node(id: $id) { __typename } }`
  return (await tabwire.query<{ node: unknown }>(query, { id: encodeGlobalId(type, id, number) })).node
}

describe('a log that version 0.1 wrote', () => {
  const timing = { dnsMs: 1, connectMs: null, tlsMs: null, waitingMs: 2, downloadMs: 3 }
  const file = { url: 'http://127.0.0.1/f', suggestedFilename: 'f', pageId: 'p1', sizeBytes: 5, failure: null }
  const rows: Row[] = [
    { kind: 1, data: { from: null, to: 'CREATING', endReason: null, error: null } },
    { kind: 6, data: message('a line') },
    { kind: 7, request: 1, data: request(1, { timing }) },
    { kind: 7, request: 2, data: request(2, { status: null, failure: 'net::ERR_FAILED' }) },
    { kind: 10, data: file },
    { kind: 12, data: { reason: 'FLOOD', count: 2, countsByKind: { DIALOG: 2 }, from: 1, to: 2 } },
  ]
  const fields = `__typename sequence
    ... on NetworkRequest { remoteAddress timing { queuedMs dnsMs connectMs } status }
    ... on Download { suggestedFilename sizeBytes keepFailure artifact { id } }
    ... on EntriesDropped { reason count kinds }`
  const expected = [
    { __typename: 'StatusChange', sequence: 1 },
    { __typename: 'ConsoleMessage', sequence: 2 },
    {
      __typename: 'NetworkRequest',
      sequence: 3,
      remoteAddress: null,
      timing: { queuedMs: null, dnsMs: 1, connectMs: null },
      status: 200,
    },
    { __typename: 'NetworkRequest', sequence: 4, remoteAddress: null, timing: null, status: null },
    {
      __typename: 'Download',
      sequence: 5,
      suggestedFilename: 'f',
      sizeBytes: 5,
      keepFailure: null,
      artifact: null,
    },
    { __typename: 'EntriesDropped', sequence: 6, reason: 'FLOOD', count: 2, kinds: ['DIALOG'] },
  ]

  test('is read as if it had been written today', async () => {
    const id = await keepLog(rows)
    expect((await readPage(id, 'events', '', fields)).nodes).toEqual(expected)
    expect((await follow(id, 'sessionEvents', '', fields)).entries).toEqual(expected)
    expect(await findNode('Download', id, 5)).toEqual({ __typename: 'Download' })
    expect(await findNode('NetworkRequest', id, 2)).toEqual({ __typename: 'NetworkRequest' })
    const failed = await readPage(id, 'networkRequests', '(filter: { failedOnly: true })', PLAIN)
    expect(sequencesOf(failed.nodes)).toEqual([4])
    expect(logged.filter(({ sessionId }) => sessionId === id)).toEqual([])
  })

  test('has requests whose outcome is what their failure says', async () => {
    const outcomes: [failure: string | null, outcome: string][] = [
      [null, 'COMPLETED'],
      ['net::ERR_FAILED', 'FAILED'],
      ['page crashed', 'FAILED'],
      ['net::ERR_ABORTED', 'CANCELED'],
      ['worker ended', 'CANCELED'],
      ['net::ERR_ABORTED (blocked: csp)', 'BLOCKED'],
      ['net::ERR_FAILED (CORS: MissingAllowOriginHeader)', 'BLOCKED'],
      ['net::ERR_BLOCKED_BY_CLIENT', 'BLOCKED'],
      ['BLOCKED (private address)', 'BLOCKED'],
      ['session ended', 'CUT_BY_END'],
      ['the browser crashed', 'CUT_BY_END'],
    ]
    const id = await keepLog(
      outcomes.map(([failure], index) => {
        const members = index % 2 === 1 ? { failure, remoteAddress: null } : { failure }
        return { kind: 7, request: index + 1, data: request(index + 1, members), version: 1 + (index % 2) }
      }),
    )
    const read = await readPage(id, 'networkRequests', '', `${PLAIN} ... on NetworkRequest { failure outcome }`)
    expect(read.nodes.map(({ failure, outcome }) => [failure, outcome])).toEqual(outcomes)
    for (const wanted of new Set([...outcomes.map(([, outcome]) => outcome), 'UNKNOWN'])) {
      const sequences = outcomes.flatMap(([, outcome], index) => (outcome === wanted ? [index + 1] : []))
      const page = await readPage(id, 'networkRequests', `(filter: { outcomes: [${wanted}] })`, PLAIN)
      expect(sequencesOf(page.nodes)).toEqual(sequences)
      const followed = await follow(id, 'networkRequests', `, filter: { outcomes: [${wanted}] }`, PLAIN)
      expect(sequencesOf(followed.entries)).toEqual(sequences)
    }
    const failed = await readPage(id, 'networkRequests', '(filter: { failedOnly: true })', PLAIN)
    expect(sequencesOf(failed.nodes)).toEqual([2, 3, 4, 5, 6, 7, 8, 9])
  })
})

describe('an entry that cannot be read', () => {
  let id: string
  beforeAll(async () => {
    id = await keepLog([
      { kind: 1, data: { from: null, to: 'CREATING', endReason: null, error: null } },
      { kind: 6, data: message('alpha one', { level: 'ERROR' }) },
      { kind: 6, data: { ...message('alpha two'), level: undefined } },
      { kind: 6, data: { ...message('?'), text: undefined } },
      { kind: 7, request: 1, data: request(1) },
      { kind: 7, request: 2, data: request(2, { status: 'five hundred' }) },
      { kind: 99, data: { of: 'the future' } },
      { kind: 6, data: { words: 'of the future' }, version: 99 },
      { kind: 6, data: ['not', 'an', 'object'] },
      { kind: 12, data: { reason: 'FLOOD', count: 'many', countsByKind: {}, from: 1, to: 2 } },
      { kind: 2, data: { pageId: 'p1', url: 'http://127.0.0.1/', sameDocument: false }, at: 'infinity' },
      { kind: 7, request: 3, data: request(3, { resourceType: 'HOLOGRAM', timing: 'slow', status: 1e30 }) },
      { kind: 6, data: message('beta', { line: 1.5 }) },
      { kind: 6, data: message('alpha last') },
      { kind: 1, data: { from: 'RUNNING', to: 'CLOSED', endReason: 'TERMINATED', error: null } },
    ])
  })
  const GOOD = [1, 2, 5, 14, 15]
  const all = Array.from({ length: 15 }, (_, index) => index + 1)

  const expectWhole = (entries: readonly Entry[]) => {
    expect(sequencesOf(entries)).toEqual(all)
    const dropped = entries.filter(({ sequence }) => !GOOD.includes(sequence))
    expect(entries.filter(({ sequence }) => GOOD.includes(sequence)).map(({ __typename }) => __typename)).toEqual([
      'StatusChange',
      'ConsoleMessage',
      'NetworkRequest',
      'ConsoleMessage',
      'StatusChange',
    ])
    const kindOf = (sequence: number) =>
      sequence === 11 ? ['NAVIGATION'] : [6, 12].includes(sequence) ? ['NETWORK_REQUEST'] : ['CONSOLE_MESSAGE']
    for (const entry of dropped) {
      const time = entry.sequence === 11 ? new Date(0).toISOString() : AT
      expect(entry).toEqual({
        __typename: 'EntriesDropped',
        id: encodeGlobalId('EntriesDropped', id, entry.sequence),
        sequence: entry.sequence,
        at: time,
        reason: 'UNREADABLE',
        count: entry.sequence === 10 ? null : 1,
        kinds: [7, 10].includes(entry.sequence) ? [] : kindOf(entry.sequence),
        firstAt: time,
        lastAt: time,
      })
    }
  }

  test('is an EntriesDropped in its place, on every page and in every direction', async () => {
    const page = await readPage(id, 'events', '(first: 1000)')
    expectWhole(page.nodes)
    expect(page.totalCount).toBe(15)
    const forward: Entry[] = []
    for (let after = '', more = true; more;) {
      const { nodes, pageInfo } = await readPage(id, 'events', `(first: 2 ${after && `after: "${after}"`})`)
      forward.push(...nodes)
      more = pageInfo.hasNextPage
      after = pageInfo.endCursor!
    }
    expectWhole(forward)
    const backward: Entry[] = []
    for (let before = '', more = true; more;) {
      const { nodes, pageInfo } = await readPage(id, 'events', `(last: 2 ${before && `before: "${before}"`})`)
      backward.unshift(...nodes)
      more = pageInfo.hasPreviousPage
      before = pageInfo.startCursor!
    }
    expectWhole(backward)
  })

  test('does not end a subscription, which counts it', async () => {
    const events = await follow(id, 'sessionEvents')
    expectWhole(events.entries)
    expect(events).toMatchObject({ live: true, dropped: 9, droppedUnknown: true })
    const lines = await follow(id, 'consoleMessages', '', PLAIN)
    expect(sequencesOf(lines.entries)).toEqual([2, 14])
    expect(lines).toMatchObject({ live: true, dropped: 5, droppedUnknown: true })
    const requests = await follow(id, 'networkRequests', '', PLAIN)
    expect(sequencesOf(requests.entries)).toEqual([5])
    expect(requests).toMatchObject({ live: true, dropped: 2, droppedUnknown: true })
  })

  test('does not keep a connection of one kind from going on past it', async () => {
    const found: Entry[] = []
    for (let after = '', more = true; more;) {
      const args = `(first: 1 ${after && `after: "${after}"`})`
      const { nodes, pageInfo } = await readPage(id, 'consoleMessages', args, PLAIN)
      found.push(...nodes)
      more = pageInfo.hasNextPage
      after = pageInfo.endCursor!
    }
    expect(sequencesOf(found)).toEqual([2, 14])
    const last = await readPage(id, 'consoleMessages', '(last: 2)', PLAIN)
    expect(sequencesOf(last.nodes)).toEqual([2, 14])
    expect(sequencesOf((await readPage(id, 'events', '(kinds: [NAVIGATION])')).nodes)).toEqual([])
    expect(sequencesOf((await readPage(id, 'events', '(kinds: [NAVIGATION, ENTRIES_DROPPED])')).nodes)).toEqual([
      10, 11,
    ])
  })

  const lines = [
    ['textContains: "alpha"', [2, 14], 4],
    ['textContains: "beta"', [], 4],
    ['levels: [LOG]', [14], 5],
    ['levels: [ERROR]', [2], 3],
    ['levels: []', [], 3],
    ['pageId: "p1"', [2, 14], 5],
    ['pageId: "p2"', [], 2],
    ['textContains: "alpha", levels: [LOG, ERROR], pageId: "p1"', [2, 14], 4],
  ] as const
  const requests = [
    ['urlContains: "/x"', [5], 2],
    ['urlContains: "/y"', [], 0],
    ['methods: ["get"]', [5], 2],
    ['resourceTypes: [FETCH]', [5], 2],
    ['resourceTypes: [IMAGE]', [], 1],
    ['minStatus: 200', [5], 1],
    ['maxStatus: 200', [5], 1],
    ['minStatus: 100, maxStatus: 2147483647', [5], 0],
    ['failedOnly: true', [], 1],
    ['outcomes: [COMPLETED]', [5], 2],
    ['outcomes: [FAILED, UNKNOWN]', [], 0],
    ['outcomes: []', [], 0],
  ] as const
  test.each([
    ...lines.map((row) => ['consoleMessages', ...row] as const),
    ...requests.map((row) => ['networkRequests', ...row] as const),
  ])(
    'makes no search fail, and is counted where it may have been wanted: %s, %s',
    async (connection, filter, found, dropped) => {
      expect(sequencesOf((await readPage(id, connection, `(filter: { ${filter} })`, PLAIN)).nodes)).toEqual(found)
      const followed = await follow(id, connection, `, filter: { ${filter} }`, PLAIN)
      expect(sequencesOf(followed.entries)).toEqual(found)
      expect(followed).toMatchObject({ live: true, dropped })
    },
  )

  test('is found by the id of the EntriesDropped that takes its place, and by no other', async () => {
    expect(await findNode('EntriesDropped', id, 3)).toEqual({ __typename: 'EntriesDropped' })
    expect(await findNode('ConsoleMessage', id, 3)).toBeNull()
    expect(await findNode('NetworkRequest', id, 2)).toBeNull()
    expect(await findNode('EntriesDropped', id, 1)).toBeNull()
  })

  test('is logged once a session, with its place and what is wrong with it', async () => {
    const other = await keepLog([{ kind: 3, data: { pageId: 'p1', url: 5, openerPageId: null } }])
    for (const one of [id, other, id, other]) await readPage(one, 'events', '')
    const about = (session: string) =>
      logged.filter(({ sessionId, msg }) => sessionId === session && msg.includes('cannot be read'))
    expect(about(id)).toHaveLength(1)
    expect(about(other)).toMatchObject([{ sequence: 1, kind: 'PAGE_OPENED', problem: 'data.url: invalid_type' }])
  })
})
