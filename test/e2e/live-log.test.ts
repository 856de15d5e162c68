import { rm } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import WebSocket from 'ws'
import { leakGate } from '../support/leak-gate.ts'
import { startTestApp, type TestApp } from '../support/start-app.ts'
import { startTestSite, type TestSite } from '../support/test-site.ts'
import { readEntireLog } from '../support/entire-log.ts'

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

interface Entry {
  __typename: string
  sequence: number
  text?: string
}

interface Batch {
  entries: Entry[]
  cursor: string
  live: boolean
  dropped: number
}

const EVENTS = `subscription ($id: ID!, $after: String) { sessionEvents(sessionId: $id, after: $after) {
  cursor live dropped entries { __typename sequence ... on ConsoleMessage { text } } } }`
const CONSOLE = `subscription ($id: ID!, $after: String, $filter: ConsoleFilter) {
  consoleMessages(sessionId: $id, after: $after, filter: $filter) { cursor live dropped entries { __typename sequence text } } }`

async function start(path: string): Promise<string> {
  const query = 'mutation ($url: String!) { startSession(input: {initialPrompt: $url}, waitUntil: RUNNING) { id } }'
  const { startSession } = await tabwire.query<{ startSession: { id: string } }>(query, { url: `${site.url}${path}` })
  return startSession.id
}

const terminate = (id: string) => tabwire.query('mutation ($id: ID!) { terminateSession(id: $id) { id } }', { id })

async function consoleCount(id: string): Promise<number> {
  const query = 'query ($id: ID!) { session(id: $id) { consoleMessageCount } }'
  return (await tabwire.query<{ session: { consoleMessageCount: number } }>(query, { id })).session.consoleMessageCount
}

/** Batches of a subscription over WebSocket, errors thrown. */
async function* follow(
  query: string,
  field: string,
  variables: object,
  client = tabwire.client(),
): AsyncGenerator<Batch> {
  for await (const answer of client.iterate<Record<string, Batch>>({ query, variables: { ...variables } })) {
    if (answer.errors) throw new Error(JSON.stringify(answer.errors))
    yield answer.data![field]!
  }
}

/** The same over SSE, as a browser's fetch would read it. */
async function* followOverSse(
  query: string,
  field: string,
  variables: object,
  signal?: AbortSignal,
): AsyncGenerator<Batch> {
  const headers = { 'x-api-key': tabwire.apiKey, accept: 'text/event-stream', 'content-type': 'application/json' }
  const body = JSON.stringify({ query, variables })
  const response = await fetch(`${tabwire.url}/graphql`, { method: 'POST', headers, body, signal: signal ?? null })
  expect(response.headers.get('content-type')).toContain('text/event-stream')
  let text = ''
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    const events = (text + chunk).split('\n\n')
    text = events.pop()!
    for (const event of events) {
      const data = /^data: (.+)$/m.exec(event)?.[1]
      if (!event.includes('event: next') || !data) continue
      yield (JSON.parse(data) as { data: Record<string, Batch> }).data[field]!
    }
  }
}

const history = (id: string) => readEntireLog<Entry>(tabwire, id, '__typename sequence ... on ConsoleMessage { text }')

const sequences = (entries: Entry[]) => entries.map(({ sequence }) => sequence)
const oneTo = (n: number) => Array.from({ length: n }, (_, index) => index + 1)

describe('the whole log, live', () => {
  test('a burst of 10,000 lines arrives complete and in order, over WebSocket and SSE alike, and equals history', async () => {
    const id = await start('/burst?n=10000')
    const read = async (batches: AsyncGenerator<Batch>) => {
      const entries: Entry[] = []
      for await (const batch of batches) {
        entries.push(...batch.entries)
        expect(batch.dropped).toBe(0)
      }
      return entries
    }
    const overSocket = read(follow(EVENTS, 'sessionEvents', { id }))
    const overSse = read(followOverSse(EVENTS, 'sessionEvents', { id }))
    await expect.poll(() => consoleCount(id)).toBe(10_000)
    await terminate(id)
    const kept = await history(id)
    expect(sequences(kept)).toEqual(oneTo(kept.length))
    expect(kept.filter(({ __typename }) => __typename === 'ConsoleMessage')).toHaveLength(10_000)
    expect(await overSocket).toEqual(kept)
    expect(await overSse).toEqual(kept)
  })

  test('the connection drops again and again; with the last cursor nothing is missed and nothing comes twice', async () => {
    const id = await start('/ticker?ms=5')
    const seen: Entry[] = []
    let after: string | null = null
    for (let connection = 0; connection < 8; connection += 1) {
      const socket: { open?: WebSocket } = {}
      const client = tabwire.client()
      client.on('opened', (opened) => (socket.open = opened as WebSocket))
      const goal = seen.length + 20
      try {
        for await (const batch of follow(EVENTS, 'sessionEvents', { id, after }, client)) {
          seen.push(...batch.entries)
          after = batch.cursor
          // Without a closing handshake: the network is gone.
          if (seen.length >= goal) socket.open?.terminate()
        }
      } catch {
        // The abrupt end is expected.
      }
    }
    await terminate(id)
    for await (const batch of follow(EVENTS, 'sessionEvents', { id, after })) seen.push(...batch.entries)
    expect(sequences(seen)).toEqual(oneTo(seen.length))
    expect(seen).toEqual(await history(id))
  })

  test('a filter narrows, moves the cursor on, and resumes', async () => {
    const id = await start('/console')
    await expect.poll(() => consoleCount(id)).toBeGreaterThan(5)
    await terminate(id)
    const errors: Entry[] = []
    for await (const batch of follow(CONSOLE, 'consoleMessages', { id, filter: { levels: ['ERROR'] } }))
      errors.push(...batch.entries)
    expect(errors.length).toBeGreaterThan(0)
    const part = { connection: 'consoleMessages', only: 'filter: { levels: [ERROR] }' } as const
    expect(errors).toEqual(await readEntireLog(tabwire, id, '__typename sequence text', part))
  })

  test('after the end it replays and completes; after a restart of the server too, with the same cursor', async () => {
    const dataDir = `${tabwire.dataDir}-restart`
    const before = await startTestApp({ dataDir, warmBrowsers: 0 })
    const query = 'mutation ($url: String!) { startSession(input: {initialPrompt: $url}, waitUntil: LOADED) { id } }'
    const { startSession } = await before.query<{ startSession: { id: string } }>(query, { url: `${site.url}/console` })
    const { id } = startSession
    const first: Batch[] = []
    for await (const batch of follow(EVENTS, 'sessionEvents', { id }, before.client())) {
      first.push(batch)
      if (batch.live) break
    }
    await before.close()
    const after = await startTestApp({ dataDir, warmBrowsers: 0 })
    try {
      const rest: Entry[] = []
      const resumed = follow(EVENTS, 'sessionEvents', { id, after: first.at(-1)!.cursor }, after.client())
      for await (const batch of resumed) rest.push(...batch.entries)
      const all = [...first.flatMap(({ entries }) => entries), ...rest]
      expect(sequences(all)).toEqual(oneTo(all.length))
      expect(all.at(-1)?.__typename).toBe('StatusChange')
      const status = 'query ($id: ID!) { session(id: $id) { status endReason } }'
      expect(await after.query(status, { id })).toEqual({ session: { status: 'CLOSED', endReason: 'SERVER_SHUTDOWN' } })
    } finally {
      await after.close()
      await rm(dataDir, { recursive: true })
    }
  })
})

describe('readers', () => {
  test.each(['', 'x', 'e1.1'])('the cursor "%s" is CURSOR_INVALID, and one of another session too', async (cursor) => {
    const [one, other] = [await start('/title'), await start('/title')]
    const first = await follow(EVENTS, 'sessionEvents', { id: other }).next()
    const foreign = (first.value as Batch).cursor
    for (const after of [cursor, foreign]) {
      const { value } = await tabwire
        .client()
        .iterate({ query: EVENTS, variables: { id: one, after } })
        .next()
      expect(value).toMatchObject({ errors: [{ extensions: { code: 'CURSOR_INVALID' } }] })
      const page =
        'query ($id: ID!, $after: String) { session(id: $id) { events(after: $after) { nodes { sequence } } } }'
      expect((await tabwire.send(page, { id: one, after })).errors?.[0]?.extensions.code).toBe('CURSOR_INVALID')
    }
    await Promise.all([terminate(one), terminate(other)])
  })

  // A busy machine takes its time over so many lines.
  test(
    'one that stops reading costs nobody else time or lines, and misses nothing when it reads on',
    { timeout: 240_000 },
    async () => {
      const id = await start('/burst?n=20000')
      const stalled = await openStalledReader(id)
      let lines = 0
      for await (const batch of follow(CONSOLE, 'consoleMessages', { id })) {
        lines += batch.entries.length
        if (lines === 20_000) break
      }
      expect(lines).toBe(20_000)
      await terminate(id)
      const kept = await history(id)
      expect(sequences(stalled.entries).length).toBeLessThan(kept.length)
      expect(sequences(await stalled.readOn())).toEqual(oneTo(kept.length))
    },
  )

  test('a thousand that come and go while the log is idle leave nothing behind', async () => {
    const id = await start('/title')
    const client = tabwire.client()
    const baseline = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
    for (let round = 0; round < 20; round += 1) {
      const readers = Array.from({ length: 50 }, () => client.iterate({ query: EVENTS, variables: { id } }))
      await Promise.all(readers.map((reader) => reader.next()))
      for (const reader of readers) await reader.return?.()
    }
    await expect
      .poll(() => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length)
      .toBeLessThan(baseline + 20)
    await terminate(id)
  })
})

/** A WebSocket client that subscribes and then stops reading from its socket until the test resumes it. */
async function openStalledReader(id: string): Promise<{ entries: Entry[]; readOn(): Promise<Entry[]> }> {
  const socket = new WebSocket(`${tabwire.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws')
  await new Promise((resolve) => socket.once('open', resolve))
  socket.send(JSON.stringify({ type: 'connection_init', payload: { 'X-API-Key': tabwire.apiKey } }))
  await new Promise((resolve) => socket.once('message', resolve))
  const entries: Entry[] = []
  let isStalled = true
  const { promise: completed, resolve: complete } = Promise.withResolvers<void>()
  const { promise: subscribed, resolve: begin } = Promise.withResolvers<void>()
  socket.on('message', (data: Buffer) => {
    const message = JSON.parse(data.toString()) as { type: string; payload?: { data: { sessionEvents: Batch } } }
    if (message.type === 'complete') complete()
    if (message.type !== 'next') return
    entries.push(...message.payload!.data.sessionEvents.entries)
    // Not the connection below: the library would resume that.
    if (isStalled) socket.pause()
    begin()
  })
  socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query: EVENTS, variables: { id } } }))
  await subscribed
  return {
    entries,
    async readOn() {
      isStalled = false
      socket.resume()
      await completed
      socket.terminate()
      return entries
    },
  }
}
