import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from 'graphql-ws'
import { afterAll, beforeAll, expect, test } from 'vitest'
import WebSocket from 'ws'
import { followLog, type LogClient, type LogEndpoint } from '../../src/client/follow-log.ts'
import { startProgram } from '../support/command.ts'
import { startCuttingProxy, type CuttingProxy } from '../support/cutting-proxy.ts'
import { leakGate } from '../support/leak-gate.ts'
import { startTestApp, type TestApp } from '../support/start-app.ts'
import { startTestSite, type TestSite } from '../support/test-site.ts'
import { readEntireLog } from '../support/entire-log.ts'

leakGate()

const ROOT = join(import.meta.dirname, '..', '..')
const EVENTS = `subscription ($id: ID!, $after: String) { sessionEvents(sessionId: $id, after: $after) {
  entries { __typename id ... on ConsoleMessage { text } } cursor dropped droppedUnknown } }`
interface Entry {
  id: string
  text?: string
}
type Watched = { sessionEvents: { entries: Entry[]; dropped: number; droppedUnknown: boolean } }

/** Pages say before the end that nothing of them is missing, however slow they are. */
const DEADLINES = { deadlines: { flush: 20_000 } }

let dataDir: string
let site: TestSite
let tabwire: TestApp
let proxy: CuttingProxy

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'tabwire-test-'))
  site = await startTestSite()
  tabwire = await startTestApp({ dataDir }, undefined, DEADLINES)
  proxy = await startCuttingProxy(tabwire.url)
})

afterAll(async () => {
  await proxy.close()
  await tabwire.close()
  await site.close()
  await rm(dataDir, { recursive: true, force: true })
})

async function start(path: string): Promise<string> {
  const query = 'mutation ($url: String!) { startSession(input: {initialPrompt: $url}, waitUntil: LOADED) { id } }'
  const { startSession } = await tabwire.query<{ startSession: { id: string } }>(query, { url: site.url + path })
  return startSession.id
}

const terminate = (id: string) => tabwire.query('mutation ($id: ID!) { terminateSession(id: $id) { id } }', { id })
const history = (id: string) => readEntireLog<Entry>(tabwire, id, '__typename id ... on ConsoleMessage { text }')

const overSse = (): LogEndpoint => ({ url: `${proxy.url}/graphql`, headers: { 'x-api-key': tabwire.apiKey } })
const overSocket = () =>
  createClient({
    url: `${proxy.url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { 'X-API-Key': tabwire.apiKey },
    retryAttempts: 0,
  })

async function readAll(client: LogClient | LogEndpoint, id: string): Promise<Entry[]> {
  const seen: Entry[] = []
  for await (const batch of followLog<Watched>(client, EVENTS, { id }, { minDelayMs: 1 })) {
    expect(batch).toMatchObject({ dropped: 0, droppedUnknown: false })
    seen.push(...batch.entries)
  }
  return seen
}

test('a live log is followed to its end over connections that break, and equals history', async () => {
  const id = await start('/flood?n=3000&per=20&ms=10')
  proxy.cutAfter([5_000, 100, 40_000, 0, 20_000, 70_000, 3_000, 90_000])
  const socket = overSocket()
  const reading = Promise.all([readAll(overSse(), id), readAll(socket, id)])
  const count = async () => {
    const query = 'query ($id: ID!) { session(id: $id) { consoleMessageCount } }'
    return (await tabwire.query<{ session: { consoleMessageCount: number } }>(query, { id })).session
  }
  await expect.poll(count).toEqual({ consoleMessageCount: 3_000 })
  await terminate(id)
  const [bySse, bySocket] = await reading
  const kept = await history(id)
  expect(kept.filter(({ text }) => text?.startsWith('line '))).toHaveLength(3_000)
  expect(bySse).toEqual(kept)
  expect(bySocket).toEqual(kept)
  expect(proxy.opened).toBeGreaterThanOrEqual(8)
  await socket.dispose()
})

test('a slow reader whose server restarts meanwhile reads the rest from the new one', async () => {
  const id = await start('/burst?n=3000')
  const socket = overSocket()
  const options = { minDelayMs: 1, maxBufferedBatches: 1 }
  const readers = [overSse(), socket].map((client) => followLog<Watched>(client, EVENTS, { id }, options))
  const firsts = await Promise.all(readers.map((reader) => reader.next()))
  await tabwire.close()
  tabwire = await startTestApp({ dataDir })
  proxy.leadTo(tabwire.url)
  const kept = await history(id)
  for (const [index, reader] of readers.entries()) {
    const seen = [...firsts[index]!.value!.entries]
    for await (const { entries } of reader) seen.push(...entries)
    expect(seen).toEqual(kept)
  }
  await socket.dispose()
})

test('the example in the docs prints the log of a session', async () => {
  const page = await readFile(join(ROOT, 'docs', 'log.md'), 'utf8')
  const example = /```ts\n(import \{ followLog \}[^`]*(?:`[^`]+`[^`]*)*?)```/.exec(page)?.[1]
  const folder = await mkdtemp(join(tmpdir(), 'tw-readme-'))
  const file = join(folder, 'follow.mts')
  const program = example!
    .replace("'tabwire/client'", JSON.stringify(join(ROOT, 'src', 'client', 'follow-log.ts')))
    .replace('http://127.0.0.1:4000', tabwire.url)
  await writeFile(file, program)
  const id = await start('/flood?n=3&per=1&ms=1')
  await terminate(id)
  const env = { ...(process.env as Record<string, string>), TABWIRE_KEY: tabwire.apiKey }
  const { code, stdout, stderr } = await startProgram(process.execPath, [file, id], env).finished
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  const printed = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { __typename: string })
  expect(printed.at(-1)).toMatchObject({ __typename: 'StatusChange' })
  expect(printed).toHaveLength((await history(id)).length)
  await rm(folder, { recursive: true })
})
