import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { browsersOf, processes, type Process } from '../support/browser-processes.ts'
import { seedEmbeddedDatabase } from '../support/embedded-template.ts'
import { leakGate } from '../support/leak-gate.ts'
import { sessionApi } from '../support/session-api.ts'
import { startTestApp, type TestApp } from '../support/start-app.ts'
import { startTestSite, type TestSite } from '../support/test-site.ts'
import { freezeProcesses } from '../support/freeze-process.ts'

leakGate()

let site: TestSite
let tabwire: TestApp
const { start } = sessionApi(() => tabwire)

beforeAll(async () => {
  site = await startTestSite()
  tabwire = await startTestApp({ warmBrowsers: 0 })
})

afterAll(async () => {
  await tabwire.close()
  await site.close()
})

async function startHere(input: object = {}): Promise<{ id: string; browser: Process }> {
  const before = await browsersOf(process.pid)
  const query = 'mutation ($input: StartSessionInput) { startSession(input: $input, waitUntil: RUNNING) { id status } }'
  const { startSession } = await tabwire.query<{ startSession: { id: string } }>(query, { input })
  const browser = (await browsersOf(process.pid)).find(({ pid }) => !before.some((other) => other.pid === pid))
  return { id: startSession.id, browser: browser! }
}

const STATE =
  'query ($id: ID!) { session(id: $id) { status endReason error health { status browserResponsive latencyMs uptimeMs } } }'
interface State {
  session: {
    status: string
    endReason: string | null
    error: string | null
    health: { status: string; browserResponsive: boolean }
  }
}
const state = async (id: string) => (await tabwire.query<State>(STATE, { id })).session

const TERMINATE = 'mutation ($id: ID!) { terminateSession(id: $id) { status endReason } }'

describe('a browser', () => {
  test('killed: its session is FAILED / BROWSER_CRASHED, the others do not notice', async () => {
    const [victim, other] = [await startHere(), await startHere()]
    process.kill(victim.browser.pid, 'SIGKILL')
    await expect
      .poll(async () => await state(victim.id), { interval: 20 })
      .toMatchObject({
        status: 'FAILED',
        endReason: 'BROWSER_CRASHED',
        error: expect.any(String) as string,
        health: { status: 'ENDED' },
      })
    expect(await state(other.id)).toMatchObject({ status: 'RUNNING' })
    // A browser has a second to answer.
    const health = async () => (await state(other.id)).health
    await expect.poll(health).toMatchObject({ status: 'HEALTHY', browserResponsive: true })
    const last = await tabwire.query(
      'query ($id: ID!) { session(id: $id) { events(last: 1) { nodes { ... on StatusChange { from to endReason } } } } }',
      { id: victim.id },
    )
    expect(last).toEqual({
      session: { events: { nodes: [{ from: 'RUNNING', to: 'FAILED', endReason: 'BROWSER_CRASHED' }] } },
    })
    await tabwire.query(TERMINATE, { id: other.id })
  })

  test('frozen: health says UNRESPONSIVE, and it can be terminated', async () => {
    const { id, browser } = await startHere()
    await freezeProcesses(browser.pid)
    expect((await state(id)).health).toMatchObject({
      status: 'UNRESPONSIVE',
      browserResponsive: false,
      latencyMs: null,
    })
    const { terminateSession } = await tabwire.query<{ terminateSession: object }>(TERMINATE, { id })
    expect(terminateSession).toEqual({ status: 'CLOSED', endReason: 'TERMINATED' })
    expect((await processes()).some(({ pid }) => pid === browser.pid)).toBe(false)
  })

  test('twenty started at once all run, and all end', async () => {
    const started = await Promise.all(Array.from({ length: 20 }, () => start()))
    expect(started.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 'RUNNING'))
    expect(await tabwire.query('mutation { terminateSessions(filter: {status: [RUNNING]}) }')).toEqual({
      terminateSessions: 20,
    })
    expect(await browsersOf(process.pid)).toEqual([])
  })
})

const servers = new Set<ChildProcess>()

/** A server in a separate process, as users start it. */
async function serve(dataDir: string): Promise<{ child: ChildProcess; url: string; apiKey: string }> {
  const env = {
    ...process.env,
    PORT: '0',
    TABWIRE_DATA_DIR: dataDir,
    TABWIRE_WARM_BROWSERS: '1',
    TABWIRE_LOG_LEVEL: 'error',
  }
  const child = spawn(process.execPath, ['src/main.ts', 'serve'], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  servers.add(child)
  child.once('exit', () => servers.delete(child))
  for await (const line of createInterface({ input: child.stdout })) {
    const url = /(http:\/\/127\.0\.0\.1:\d+)/.exec(line)?.[1]
    if (!url) continue
    child.stdout.resume()
    return { child, url, apiKey: (await readFile(join(dataDir, 'api-key'), 'utf8')).trim() }
  }
  throw new Error('the server ended before it listened')
}

async function ask<T>(server: { url: string; apiKey: string }, query: string, variables: object = {}): Promise<T> {
  const headers = { 'x-api-key': server.apiKey, 'content-type': 'application/json' }
  const response = await fetch(`${server.url}/graphql`, {
    method: 'POST',
    headers,
    body: JSON.stringify({ query, variables }),
  })
  const { data, errors } = (await response.json()) as { data: T; errors?: unknown }
  if (errors) throw new Error(JSON.stringify(errors))
  return data
}

/** Missing entries as reported by a subscription to the whole log of an ended session. */
async function followDrops(server: { url: string; apiKey: string }, id: string) {
  const query = 'subscription ($id: ID!) { consoleMessages(sessionId: $id) { dropped droppedUnknown } }'
  const headers = { 'x-api-key': server.apiKey, 'content-type': 'application/json', accept: 'text/event-stream' }
  const body = JSON.stringify({ query, variables: { id } })
  const response = await fetch(`${server.url}/graphql`, { method: 'POST', headers, body })
  const all = { dropped: 0, droppedUnknown: false }
  for (const [, data = ''] of (await response.text()).matchAll(/^data: (.+)$/gm)) {
    const { consoleMessages } = (JSON.parse(data) as { data: { consoleMessages: typeof all } }).data
    all.dropped += consoleMessages.dropped
    all.droppedUnknown ||= consoleMessages.droppedUnknown
  }
  return all
}

/** Each starts several servers as new processes, each with a browser and a database of its own. */
describe('the server', { timeout: 120_000 }, () => {
  let dataDir: string
  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'tabwire-death-'))
    await seedEmbeddedDatabase(dataDir)
  })
  afterEach(async () => {
    // Only after a failure are there any.
    for (const server of servers) {
      server.kill('SIGKILL')
      await once(server, 'exit')
    }
    await rm(dataDir, { recursive: true, force: true })
  })

  const START =
    'mutation ($url: String) { startSession(input: {initialPrompt: $url}, waitUntil: LOADED) { id status } }'
  const LOG = `query ($id: ID!) { session(id: $id) { status endReason error lines: consoleMessages { totalCount } events(last: 2) {
    nodes { sequence ... on EntriesDropped { reason count kinds } ... on StatusChange { from to endReason errorMessage } }
    totalCount } } }`
  interface Log {
    session: {
      status: string
      endReason: string
      error: string | null
      lines: { totalCount: number }
      events: { totalCount: number; nodes: object[] }
    }
  }

  test('killed with -9: no browser survives, and the next start ends its sessions truthfully and tidies up', async () => {
    const killed = await serve(dataDir)
    const { startSession } = await ask<{ startSession: { id: string } }>(killed, START, {
      url: `${site.url}/ticker?ms=20`,
    })
    const { id } = startSession
    await expect.poll(async () => (await ask<Log>(killed, LOG, { id })).session.lines.totalCount).toBeGreaterThan(5)
    // The warm one that takes the place of the session's is started in the background.
    await expect.poll(async () => (await browsersOf(killed.child.pid!)).length).toBeGreaterThan(1)
    const [frozen, ...others] = await browsersOf(killed.child.pid!)
    await freezeProcesses(frozen!.pid)
    const seen = (await ask<Log>(killed, LOG, { id })).session.events.totalCount
    const machineId = (await readFile(join(dataDir, 'machine-id'), 'utf8')).trim()
    const profiles = join(tmpdir(), `tabwire-${machineId}`)
    const ofKilled = await readdir(profiles)
    expect(ofKilled.length).toBeGreaterThan(0)
    killed.child.kill('SIGKILL')
    await once(killed.child, 'exit')
    const left = async () => {
      const pids = new Set((await processes()).map(({ pid }) => pid))
      return [frozen!, ...others].filter(({ pid }) => pids.has(pid))
    }
    await expect.poll(left).toEqual([])

    const next = await serve(dataDir)
    const leftOfKilled = async () => (await readdir(profiles)).filter((name) => ofKilled.includes(name))
    await expect.poll(leftOfKilled).toEqual([])
    const { session } = await ask<Log>(next, LOG, { id })
    expect(session).toMatchObject({ status: 'FAILED', endReason: 'MACHINE_LOST', error: expect.any(String) as string })
    expect(session.events.totalCount).toBeGreaterThan(seen)
    const { totalCount } = session.events
    expect(session.events.nodes).toMatchObject([
      { sequence: totalCount - 1, reason: 'TERMINATED', count: null, kinds: [] },
      { sequence: totalCount, from: 'RUNNING', to: 'FAILED', endReason: 'MACHINE_LOST' },
    ])
    const reported = await followDrops(next, id)
    expect(reported).toEqual({ dropped: 0, droppedUnknown: true })
    next.child.kill('SIGTERM')
    await once(next.child, 'exit')
  })

  test('SIGTERM: its sessions end as SERVER_SHUTDOWN, every entry is committed, and it exits with 0 in time', async () => {
    const server = await serve(dataDir)
    const { startSession } = await ask<{ startSession: { id: string } }>(server, START, {
      url: `${site.url}/ticker?ms=20`,
    })
    const { id } = startSession
    await expect.poll(async () => (await ask<Log>(server, LOG, { id })).session.lines.totalCount).toBeGreaterThan(5)
    const browsers = await browsersOf(server.child.pid!)
    server.child.kill('SIGTERM')
    // 1, if it does not end in time.
    const [code] = (await once(server.child, 'exit')) as [number | null]
    expect(code).toBe(0)
    const pids = new Set((await processes()).map(({ pid }) => pid))
    expect(browsers.filter(({ pid }) => pids.has(pid))).toEqual([])

    const next = await serve(dataDir)
    const { session } = await ask<Log>(next, LOG, { id })
    expect(session).toMatchObject({ status: 'CLOSED', endReason: 'SERVER_SHUTDOWN', error: null })
    expect(session.events.nodes.at(-1)).toMatchObject({ sequence: session.events.totalCount, to: 'CLOSED' })
    expect(await followDrops(next, id)).toEqual({ dropped: 0, droppedUnknown: false })
    next.child.kill('SIGTERM')
    await once(next.child, 'exit')
  })
})
