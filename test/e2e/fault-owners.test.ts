import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from 'graphql-ws'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import WebSocket from 'ws'
import { startScriptedSite, type ScriptedSite } from '../adapters/playwright/scripted-site.ts'
import { CdpSocket } from '../support/cdp-socket.ts'
import { commandEnvironment, startTabwire, type RunningCommand } from '../support/command.ts'
import { seedEmbeddedDatabase } from '../support/embedded-template.ts'
import { leakGate } from '../support/leak-gate.ts'

/**
 * Every listener and timer that a session, a connection or a database connection has throws, or leaves a rejected promise,
 * once; see throwing-listeners.mjs. Each round uses all that there is with a session of its own, beside a neighbor.
 */

// Each round starts browsers, with a round for each listener of a browser: minutes, and ten times that under load.
vi.setConfig({ testTimeout: 1_800_000, hookTimeout: 120_000 })
leakGate()

const FIXTURE = join(import.meta.dirname, '..', 'support', 'throwing-listeners.mjs')
const SIDE_BY_SIDE = 3
/** Rounds without a new fault after which there are none left. */
const ENOUGH = 2
/** Lines of a shutdown, and of a slow start. */
const EXPECTED_LINES =
  /^(Ending the sessions; press Ctrl-C again to exit immediately\.|Still (opening the database|starting a browser) \(\d+ s\))\n/gm

interface Found {
  fired: [place: string, { kind: string; how: 'throw' | 'reject' }][]
  unowned: string[]
}

let dataDir: string
let site: ScriptedSite
let server: RunningCommand
let serverUrl: string
let control: string
let apiKey: string

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'tabwire-owners-'))
  await seedEmbeddedDatabase(dataDir)
  site = await startScriptedSite({
    neighbor: `let n = 0; setInterval(() => console.log('line ' + (n += 1)), 20)`,
    all: `console.log('a line', { an: 'object' }); console.error('an error')
      fetch('/script/other').then((response) => response.text())
      new Worker('/script/worker')
      new WebSocket(location.origin.replace('http', 'ws'))
      document.body.append(Object.assign(document.createElement('iframe'), { src: '/page/frame' }))
      history.pushState(0, '', '#here')
      setTimeout(() => { throw new Error('uncaught') })
      setTimeout(() => open('/page/frame').close())`,
    frame: `console.log('in a frame')`,
    worker: `console.log('in a worker')`,
  })
  const env = commandEnvironment(dataDir, {
    NODE_OPTIONS: `--import=${FIXTURE}`,
    TABWIRE_LOG_LEVEL: 'fatal',
  })
  server = startTabwire(['serve'], env)
  control = `http://127.0.0.1:${(await server.printed(/^control (\d+)$/m))[1]}`
  serverUrl = (await server.printed(/^Tabwire listens on (\S+)$/m))[1]!
  apiKey = (await readFile(join(dataDir, 'api-key'), 'utf8')).trim()
})

afterAll(async () => {
  // Only after a failure.
  if (server.child.exitCode === null) server.child.kill('SIGKILL')
  await server.finished
  await site.close()
  await rm(dataDir, { recursive: true, force: true })
})

async function mode(...kinds: string[]): Promise<Found> {
  const query = kinds.length === 0 ? '' : `?kinds=${kinds.join()}`
  return (await (await fetch(`${control}/mode${query}`)).json()) as Found
}

async function found(): Promise<Found> {
  return (await (await fetch(control)).json()) as Found
}

interface ReplyError {
  message: string
  extensions: { code: string }
}

interface Reply<T> {
  data?: T | null
  errors?: ReplyError[]
}

/** An invalid query would leave its target untested. */
function expectValid(errors: readonly ReplyError[]): void {
  expect(errors.filter(({ extensions }) => extensions.code.startsWith('GRAPHQL_'))).toEqual([])
}

function expectStable(errors: readonly ReplyError[] = []): void {
  for (const { message, extensions } of errors) {
    expect(Object.keys(STABLE)).toContain(extensions.code)
    expect(message).toMatch(STABLE[extensions.code]!)
  }
}

/** Null: the connection ended. Each has one of its own. */
async function ask<T>(query: string, variables: object = {}): Promise<Reply<T> | null> {
  const headers = { 'x-api-key': apiKey, 'content-type': 'application/json', connection: 'close' }
  const body = JSON.stringify({ query, variables })
  let reply: Reply<T>
  try {
    const response = await fetch(`${serverUrl}/graphql`, { method: 'POST', headers, body })
    reply = (await response.json()) as Reply<T>
  } catch {
    return null
  }
  expectValid(reply.errors ?? [])
  return reply
}

/** Retries until there is a response: a broken connection says nothing about the outcome. */
async function must<T>(query: string, variables: object = {}): Promise<T> {
  for (;;) {
    const reply = await ask<T>(query, variables)
    if (reply?.data) return reply.data
    expectStable(reply?.errors)
  }
}

/** Codes for requests that a fault ends before the response. A partial body does not count. */
const STABLE: Record<string, RegExp> = {
  INTERNAL: /^Something went wrong/,
  DATABASE_UNAVAILABLE: /./,
  BAD_USER_INPUT: /body/i,
}

interface State {
  status: string
  endReason: string | null
  error: string | null
  consoleMessageCount: number
  events: { nodes: { __typename: string; endReason?: string }[] }
}

const STATE = `query ($id: ID!) { session(id: $id) { status endReason error consoleMessageCount
  events(last: 1) { nodes { __typename ... on StatusChange { endReason } } } } }`
const stateOf = async (id: string) => (await must<{ session: State }>(STATE, { id })).session

async function start(page: string, input: object = {}): Promise<string> {
  const query = 'mutation ($input: StartSessionInput) { startSession(input: $input, waitUntil: LOADED) { id } }'
  // A start that was not answered is found again by its key.
  const variables = {
    input: { initialPrompt: `${site.url}/page/${page}`, idempotencyKey: crypto.randomUUID(), ...input },
  }
  return (await must<{ startSession: { id: string } }>(query, variables)).startSession.id
}

/** Follows something over WebSocket until that ends; returns the code of the end. */
function follow(subscription: string, id: string): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const client = createClient({
    url: `${serverUrl.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { 'X-API-Key': apiKey },
    retryAttempts: 0,
    lazyCloseTimeout: 0,
  })
  client.on('closed', (event) => resolve((event as CloseEvent).code))
  client.subscribe(
    { query: `subscription ($id: ID!) { ${subscription} }`, variables: { id } },
    {
      next: () => {},
      error: (error) => {
        if (!Array.isArray(error)) return
        try {
          expectValid(error as ReplyError[])
        } catch (refused) {
          reject(refused)
        }
      },
      complete: () => void client.dispose(),
    },
  )
  return promise
}

async function followByEvents(id: string): Promise<void> {
  const query = 'subscription ($id: ID!) { sessionEvents(sessionId: $id) { cursor } }'
  const headers = { 'x-api-key': apiKey, 'content-type': 'application/json', accept: 'text/event-stream' }
  const body = JSON.stringify({ query, variables: { id } })
  const response = await fetch(`${serverUrl}/graphql`, { method: 'POST', headers, body }).catch(() => null)
  const text = (await response?.text().catch(() => '')) ?? ''
  expect(text).not.toContain('GRAPHQL_')
}

/** A client at work, until it is done or its connection ends. Returns the close code; null: it had no connection. */
async function drive(id: string): Promise<number | null> {
  const reply = await ask<{ session: { access: { cdpUrl: string } | null } }>(
    'query ($id: ID!) { session(id: $id) { access { cdpUrl } } }',
    { id },
  )
  expectStable(reply?.errors)
  const address = reply?.data?.session.access?.cdpUrl
  if (!address) return null
  const client = await CdpSocket.connect(address).catch(() => null)
  if (!client) return null
  const talk = async () => {
    const { sessionId } = await client.attachToPage()
    await client.send('Runtime.enable', {}, sessionId)
    await client.send('Runtime.evaluate', { expression: `console.log('by a client')` }, sessionId)
  }
  // Not only until the actions are done: they may fail before the client is there.
  await Promise.race([talk().catch(() => undefined), client.closed])
  client.socket.close()
  return (await client.closed).code
}

const ACT = `mutation ($id: ID!, $actions: [ActionInput!]!) {
  runActions(sessionId: $id, actions: $actions) { success } }`
// An unanswered dialog blocks everything after it.
const DIALOG = [{ evaluate: { expression: `() => { confirm('sure?') }` } }, { dialog: { accept: true } }]
const actionsAt = (url: string) => [{ evaluate: { expression: '1 + 1' } }, { screenshot: {} }, { navigate: { url } }]

interface Ended extends State {
  /** Results of its actions; null: no response. */
  acted: { success: boolean }[] | null
}

/** All that a session can do, until it has ended. */
async function round(): Promise<Ended> {
  const id = await start('all')
  const followed = [
    follow('consoleMessages(sessionId: $id) { cursor }', id),
    follow('sessionChanged(id: $id) { status }', id),
    follow('screencast(sessionId: $id) { skipped }', id),
  ]
  const stream = followByEvents(id)
  await ask(ACT, { id, actions: DIALOG })
  const acted = ask<{ runActions: { success: boolean }[] }>(ACT, { id, actions: actionsAt(`${site.url}/page/frame`) })
  // Closed by itself, by a fault, or because the session has ended.
  expect([null, 1000, 1005, 1006, 1011, 4001]).toContain(await drive(id))
  const actions = await acted
  await must('mutation ($id: ID!) { terminateSession(id: $id) { id } }', { id })
  await expect.poll(() => stateOf(id).then(({ status }) => status), { timeout: 60_000 }).not.toBe('RUNNING')
  // Completed, broken off while it was opened, closed by a fault.
  for (const end of await Promise.all(followed)) expect([1000, 1006, 4500]).toContain(end)
  await stream
  return { ...(await stateOf(id)), acted: actions?.data?.runActions ?? null }
}

const isExpected = ({ status, endReason, events: { nodes } }: State) =>
  ['CLOSED TERMINATED', 'FAILED INTERNAL_ERROR', 'FAILED LAUNCH_FAILED'].includes(`${status} ${endReason}`) &&
  nodes[0]?.endReason === endReason

/** Rounds until there are no new failures. */
async function untilAllHaveFailed(...kinds: string[]): Promise<Ended[]> {
  const ends: Ended[] = []
  await mode(...kinds)
  for (let quiet = 0, before = 0; quiet < ENOUGH;) {
    const states = await Promise.all(Array.from({ length: SIDE_BY_SIDE }, () => round()))
    expect(states.filter((state) => !isExpected(state))).toEqual([])
    ends.push(...states)
    const { length } = (await found()).fired
    quiet = length === before ? quiet + 1 : 0
    before = length
  }
  return ends
}

/** Watches that all sessions share, and the progress of a slow start. */
const OF_THE_SERVER =
  /(long-step|temp-space|fair-scheduler|free-space|database-watch|key-watch|embedded-maintenance|connections|delivery)\.ts/
const KINDS = [
  /^CdpConnection\.on /,
  /^CdpConnection\.withhold /,
  /^CdpConnection\.host /,
  /^CdpConnection\.relay /,
  /^BrowserContext 'page'|^_BrowserContext 'page'|^BrowserContext\d* 'page'/,
  /^WebSocket 'message'/,
  /^IncomingMessage 'data'/,
  /^InProcessBus\.subscribe/,
  /^set(Timeout|Interval) at (src\/async\S+ for )?src\/domain/,
  /^set(Timeout|Immediate|Interval) at (src\/async\S+ for )?src\/adapters\/playwright/,
]

test('a fault in any listener or timer of a session ends what it belongs to, and nothing else', async () => {
  // It is left alone for longer than sessions may be idle.
  const neighbor = await start('neighbor', { keepAlive: true })
  const ends = await untilAllHaveFailed('BrowserFaults', 'SessionFaults', 'SocketFaults', 'ConnectionFaults')
  const { fired, unowned } = await found()
  await mode()
  expect(server.child.exitCode).toBeNull()
  // Faults of the server itself, not of a session or a connection.
  expect(unowned.filter((place) => !OF_THE_SERVER.test(place))).toEqual([])
  // Some of each kind must fail; otherwise the instrumentation is broken.
  const places = fired.map(([place]) => place)
  for (const kind of KINDS) expect(places).toContainEqual(expect.stringMatching(kind))
  expect(fired.length).toBeGreaterThan(100)
  // Once nothing fails anymore, everything succeeds.
  const acted = [{ success: true }, { success: true }, { success: true }]
  expect(ends.at(-1)).toMatchObject({ status: 'CLOSED', endReason: 'TERMINATED', acted })
  const { status, consoleMessageCount } = await stateOf(neighbor)
  expect(status).toBe('RUNNING')
  const log = await must<{ session: { consoleMessages: { nodes: { text: string }[] }; events: { nodes: object[] } } }>(
    `query ($id: ID!, $last: Int) { session(id: $id) { consoleMessages(last: $last) { nodes { text } }
      events(kinds: [ENTRIES_DROPPED], last: 1) { nodes { __typename } } } }`,
    { id: neighbor, last: 1000 },
  )
  const lines = log.session.consoleMessages.nodes.map(({ text }) => Number(text.replace('line ', '')))
  expect(lines).toEqual(lines.map((_, index) => lines[0]! + index))
  expect(lines.at(-1)).toBeGreaterThanOrEqual(consoleMessageCount)
  expect(log.session.events.nodes).toEqual([])

  server.child.kill('SIGTERM')
  const { code, stderr } = await server.finished
  expect([code, stderr.replaceAll(EXPECTED_LINES, '')]).toEqual([0, ''])
})
