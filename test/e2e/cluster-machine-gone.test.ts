import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connectApi } from '../support/connect-api.ts'
import { CdpSocket } from '../support/cdp-socket.ts'
import { freePort } from '../support/free-port.ts'
import { freezeProcesses } from '../support/freeze-process.ts'
import { leakGate } from '../support/leak-gate.ts'
import { startServerProcess, type ServerProcess } from '../support/server-process.ts'
import { startCluster, type TestCluster } from '../support/start-cluster.ts'
import type { TestApp } from '../support/start-app.ts'
import { startTestSite, type TestSite } from '../support/test-site.ts'

leakGate()

/** The machine of a session, whose clock is ahead, is killed or suspended while another one works on it for its clients. */

const API_KEY = 'key-of-the-servers-of-this-test'
const CLOCK_AHEAD = join(import.meta.dirname, '..', 'support', 'clock-ahead.mjs')

let site: TestSite
let cluster: TestCluster
let owning: ServerProcess
let other: TestApp

beforeAll(async () => {
  site = await startTestSite()
  cluster = await startCluster()
  const PORT = String(await freePort())
  const own = {
    PORT,
    TABWIRE_INTERNAL_URL: `http://127.0.0.1:${PORT}`,
    TABWIRE_WARM_BROWSERS: '1',
    NODE_OPTIONS: `--import=${CLOCK_AHEAD}`,
  }
  owning = await startServerProcess(API_KEY, { ...cluster.environment, ...own })
  const { machines } = await owning.query<{ machines: { id: string }[] }>('{ machines { id } }')
  await cluster.startOnly(machines[0]!.id)
  other = await cluster.start({ apiKey: API_KEY })
})
afterAll(async () => {
  await owning?.close()
  await cluster?.close()
  await site?.close()
})

async function start(): Promise<{ id: string; machineId: string }> {
  const query = `mutation ($url: String) { startSession(input: { initialPrompt: $url }, waitUntil: LOADED) { id machineId } }`
  const { startSession } = await owning.query<{ startSession: { id: string; machineId: string } }>(query, {
    url: `${site.url}/title`,
  })
  // The server waits for 30 s.
  await expect.poll(() => stateOf(startSession.id)).toMatchObject({ status: 'RUNNING' })
  return startSession
}

const stateOf = async (id: string) => (await other.query<{ session: object }>(STATE, { id })).session

const codeOf = async (query: string, id: string) => (await other.send(query, { id })).errors?.[0]?.extensions.code
const ACT = `mutation ($id: ID!) { runActions(sessionId: $id, actions: [
  { evaluate: { expression: "console.log('begun'); new Promise(() => {})", timeoutMs: 120000 } }]) { success } }`
const TERMINATE = 'mutation ($id: ID!) { terminateSession(id: $id) { status } }'
const STATE = 'query ($id: ID!) { session(id: $id) { status endReason error pages { id } } }'

/** All that a client can have open of a session, through the other machine. */
async function openAll(id: string) {
  const socket = await CdpSocket.connect(await connectApi(() => other).cdpUrlOf(id))
  const frame = Promise.withResolvers<void>()
  const watching = (async () => {
    const query = 'subscription ($id: ID!) { screencast(sessionId: $id) { pageId } }'
    for await (const { errors } of other.client().iterate({ query, variables: { id } })) {
      if (errors) return errors[0]!.extensions!['code']
      frame.resolve()
    }
    return 'ended'
  })()
  void watching.then((how) => frame.reject(new Error(`no frame has come: ${String(how)}`)), frame.reject)
  await frame.promise
  const acting = codeOf(ACT, id)
  await connectApi(() => other).untilLogged(id, (entries) => entries.some(({ text }) => text === 'begun'))
  return { socket, watching, acting }
}

/** The state of a session that may last for a minute, once it runs or has ended. */
async function startForMinute() {
  const query = `mutation ($url: String) {
    startSession(input: { initialPrompt: $url, maxDurationSeconds: 60 }, waitUntil: LOADED) { id } }`
  for (;;) {
    const { startSession } = await other.query<{ startSession: { id: string } }>(query, { url: `${site.url}/title` })
    const { id } = startSession
    const state = 'query ($id: ID!) { session(id: $id) { id status endReason startedAt expiresAt } }'
    type State = { id: string; status: string; endReason: string | null; startedAt: string; expiresAt: string }
    let now!: State
    const status = async () => (now = (await other.query<{ session: State }>(state, { id })).session).status
    await expect.poll(status).not.toBe('CREATING')
    // A browser has 30 s to start, which may be too little where too much else runs.
    if (now.endReason !== 'LAUNCH_FAILED') return now
  }
}

test('clocks that differ by minutes: a start that may last for one runs, and lasts by the clock of its machine', async () => {
  const { id, startedAt, expiresAt, ...state } = await startForMinute()
  expect(state).toEqual({ status: 'RUNNING', endReason: null })
  expect(Date.parse(expiresAt) - Date.parse(startedAt)).toBe(60_000)
  expect(Date.parse(startedAt)).toBeGreaterThan(Date.now() + 200_000)
  expect(await codeOf(TERMINATE, id)).toBeUndefined()
})

test.each(['SIGKILL', 'SIGSTOP'])(
  '%s: calls under way fail, and later ones as long as the session has not ended',
  { timeout: 240_000 },
  async (how) => {
    const { id, machineId } = await start()
    const open = await openAll(id)
    if (how === 'SIGKILL') await owning.kill('SIGKILL')
    else await freezeProcesses(owning.pid)
    expect(['MACHINE_UNREACHABLE', 'SESSION_NOT_RUNNING']).toContain(await open.acting)
    expect(['MACHINE_UNREACHABLE', 'SESSION_NOT_RUNNING', 'ended']).toContain(await open.watching)
    await open.socket.closed
    const state = async () => (await other.query<{ session: { status: string } }>(STATE, { id })).session
    await expect.poll(state).toMatchObject({ status: 'FAILED', endReason: 'MACHINE_LOST', pages: [] })
    expect(await codeOf(TERMINATE, id)).toBeUndefined()
    if (how === 'SIGKILL') await owning.restart()
    else process.kill(owning.pid, 'SIGCONT')
    // It takes part again, under another lease.
    const itself = async () => {
      type Found = { machines: { id: string; alive: boolean; lostAt: string | null }[] }
      const { machines } = await other.query<Found>('{ machines { id alive lostAt } }')
      return machines.find((machine) => machine.id === machineId)
    }
    await expect.poll(itself).toMatchObject({ alive: true, lostAt: null })
    const next = await start()
    expect(next.machineId).toBe(machineId)
    await expect.poll(() => codeOf(TERMINATE, next.id)).toBeUndefined()
  },
)
