import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from 'graphql-ws'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import WebSocket from 'ws'
import { commandEnvironment, runTabwire, startTabwire, type RunningCommand } from '../support/command.ts'
import { seedEmbeddedDatabase } from '../support/embedded-template.ts'
import { leakGate } from '../support/leak-gate.ts'
import type { Answer } from '../support/start-app.ts'
import { startTestSite, type TestSite } from '../support/test-site.ts'

/** Servers in processes of their own that accept no new sessions, and end once those that they have are over. */

// Whole servers are started, and the machine may be busy with other tests.
vi.setConfig({ testTimeout: 180_000 })
leakGate()

let dataDir: string
let site: TestSite
let command: RunningCommand | undefined

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'tabwire-drain-'))
  await seedEmbeddedDatabase(dataDir)
  site = await startTestSite()
})

afterEach(async () => {
  command?.child.kill('SIGKILL')
  await command?.finished
  command = undefined
  await site.close()
  await rm(dataDir, { recursive: true, force: true })
})

interface Started {
  id: string
  status: string
  endReason: string | null
}

async function serve(env: Record<string, string> = {}) {
  const server = startTabwire(['serve'], commandEnvironment(dataDir, env))
  command = server
  const [, url = ''] = await server.printed(/^Tabwire listens on (\S+)$/m)
  const apiKey = (await readFile(join(dataDir, 'api-key'), 'utf8')).trim()
  const client = createClient({
    url: `${url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { 'X-API-Key': apiKey },
    retryAttempts: 0,
  })
  const send = async <T>(query: string, variables: object = {}): Promise<Answer<T>> => {
    const response = await fetch(`${url}/graphql`, {
      method: 'POST',
      headers: { 'x-api-key': apiKey, 'content-type': 'application/json' },
      body: JSON.stringify({ query, variables }),
    })
    return (await response.json()) as Answer<T>
  }
  const query = async <T>(text: string, variables: object = {}): Promise<T> => {
    const { data, errors } = await send<T>(text, variables)
    if (errors || !data) throw new Error(JSON.stringify(errors))
    return data
  }
  const start = async (input: object = {}, waitUntil = 'LOADED') => {
    const text = `mutation ($input: StartSessionInput) {
      startSession(input: $input, waitUntil: ${waitUntil}) { id status endReason } }`
    for (;;) {
      const { startSession } = await query<{ startSession: Started }>(text, { input })
      if (waitUntil === 'CREATING') return startSession.id
      let now = startSession
      const status = async () => {
        const read = 'query ($id: ID!) { session(id: $id) { id status endReason } }'
        now = (await query<{ session: Started }>(read, { id: now.id })).session
        return now.status
      }
      await expect.poll(status).not.toBe('CREATING')
      // A browser has 30 s to start, which may be too little where too much else runs.
      if (now.endReason !== 'LAUNCH_FAILED') return now.id
    }
  }
  /** Whatever the log says, to its end, or to that of the connection. */
  const follow = (id: string) => {
    const reported: string[] = []
    const text = `subscription { sessionEvents(sessionId: "${id}") {
      entries { ... on ConsoleMessage { text } ... on StatusChange { to endReason } } } }`
    const ended = (async () => {
      for await (const result of client.iterate({ query: text })) reported.push(JSON.stringify(result))
    })()
    return { reported: () => reported.join('\n'), ended }
  }
  /** A stream that never ends by itself. */
  const watchAll = async () => {
    const { promise: open, resolve } = Promise.withResolvers<void>()
    const gone = new Promise<void>((done) => {
      client.subscribe(
        { query: 'subscription { machinesChanged { draining warm } }' },
        { next: () => resolve(), error: () => done(), complete: () => done() },
      )
    })
    await open
    return { gone }
  }
  const ready = async () => {
    const response = await fetch(`${url}/ready`)
    return [response.status, ((await response.json()) as { missing: string[] }).missing]
  }
  return { server, url, send, query, start, follow, watchAll, ready, close: () => client.dispose() }
}

const drain = (...args: string[]) => runTabwire(['drain', ...args], commandEnvironment(dataDir))

const NOT_READY = [503, ['the server is draining: it accepts no new sessions']]
const MACHINES = '{ machines { id draining live warm } capacity { total live } }'
interface Machines {
  machines: { id: string; draining: boolean; live: number; warm: number }[]
  capacity: { total: number; live: number }
}

test('SIGTERM with TABWIRE_DRAIN_SECONDS: live sessions work to their end, no other is started, then the server ends', async () => {
  const running = await serve({ TABWIRE_DRAIN_SECONDS: '3600', TABWIRE_WARM_BROWSERS: '1', TABWIRE_MAX_SESSIONS: '5' })
  const { server, send, query, start, follow, ready } = running
  await expect.poll(ready).toEqual([200, []])
  const id = await start({ initialPrompt: `${site.url}/title`, record: ['TRACE', 'HAR', 'VIDEO'] })
  const followed = follow(id)
  const { gone } = await running.watchAll()
  const warm = async () => (await query<Machines>(MACHINES)).machines[0]!.warm
  await expect.poll(warm).toBe(1)

  server.child.kill('SIGTERM')
  await server.printed(/Draining: sessions have 3600 s to end/)
  await expect.poll(ready).toEqual(NOT_READY)
  await expect
    .poll(() => query<Machines>(MACHINES))
    .toMatchObject({
      machines: [{ draining: true, live: 1, warm: 0 }],
      capacity: { total: 1, live: 1 },
    })
  const refused = await send('mutation { startSession { id } }')
  expect(refused.errors?.[0]?.extensions).toEqual({ code: 'SERVER_DRAINING', retryAfterSeconds: 5 })

  const say = `mutation ($id: ID!) { runActions(sessionId: $id, actions: [{ evaluate: { expression: "console.log('still here')" } }]) { success } }`
  expect(await query(say, { id })).toEqual({ runActions: [{ success: true }] })
  await expect.poll(followed.reported).toContain('still here')
  expect(server.child.exitCode).toBe(null)

  await query('mutation ($id: ID!) { terminateSession(id: $id) { status } }', { id })
  await followed.ended
  expect(followed.reported()).toContain('"endReason":"TERMINATED"')
  expect(await server.finished).toMatchObject({ code: 0, signal: null })
  await gone
  await running.close()

  const again = await serve()
  const found = await again.query<{ session: { status: string; artifacts: { nodes: { kind: string }[] } } }>(
    'query ($id: ID!) { session(id: $id) { status artifacts(first: 10) { nodes { kind } } } }',
    { id },
  )
  expect(found.session.status).toBe('CLOSED')
  expect(found.session.artifacts.nodes.map(({ kind }) => kind).sort()).toEqual(['HAR', 'TRACE', 'VIDEO'])
  await again.close()
})

test('tabwire drain: sessions that are live at the end of the time end gracefully, and followers are told', async () => {
  const { server, start, follow, watchAll, close } = await serve()
  const id = await start({ initialPrompt: `${site.url}/title`, record: ['HAR'] })
  const followed = follow(id)
  await watchAll()
  const drained = await drain('--seconds', '1')
  expect(drained).toMatchObject({ code: 0, stdout: 'The server has ended.\n' })
  expect(drained.stderr).toMatch(/^The server at \S+ drains: its sessions have until \S+Z\.$/m)
  expect(await server.finished).toMatchObject({ code: 0, signal: null })
  await followed.ended
  expect(followed.reported()).toMatch(/"endReason":"SERVER_SHUTDOWN"/)
  await close()
})

test('tabwire drain without sessions ends the server; a session that waits for a slot still has its turn', async () => {
  const { server, query, start, ready, close } = await serve({ TABWIRE_MAX_SESSIONS: '1' })
  const first = await start({ keepAlive: true }, 'RUNNING')
  const second = await start({ keepAlive: true }, 'CREATING')
  expect(await drain('--seconds', '3600', '--no-wait')).toMatchObject({ code: 0, stdout: '' })
  await expect.poll(ready).toEqual(NOT_READY)
  const terminate = (id: string) => query('mutation ($id: ID!) { terminateSession(id: $id) { id } }', { id })
  await terminate(first)
  const status = async () =>
    (await query<{ session: { status: string } }>('query ($id: ID!) { session(id: $id) { status } }', { id: second }))
      .session.status
  await expect.poll(status).toBe('RUNNING')
  await terminate(second)
  expect(await server.finished).toMatchObject({ code: 0, signal: null })
  await close()
})

test('SIGTERM without TABWIRE_DRAIN_SECONDS ends at once, also while the server drains', async () => {
  const { server, start, follow, ready, close } = await serve()
  const followed = follow(await start())
  await drain('--seconds', '3600', '--no-wait')
  await expect.poll(ready).toEqual(NOT_READY)
  server.child.kill('SIGTERM')
  expect(await server.finished).toMatchObject({ code: 0, signal: null })
  await followed.ended
  expect(followed.reported()).toContain('"endReason":"SERVER_SHUTDOWN"')
  await close()
})

test('a second signal while the server drains exits at once', async () => {
  const { server, start, close } = await serve({ TABWIRE_DRAIN_SECONDS: '3600' })
  await start()
  server.child.kill('SIGTERM')
  await server.printed(/Draining/)
  // Copies of one signal that arrive together count as one.
  const ended = () => server.child.kill('SIGTERM') && server.child.exitCode
  await expect.poll(ended).not.toBe(null)
  expect(await server.finished).toMatchObject({ code: 143, signal: null })
  await close()
})

test('what cannot be drained is refused in a line, and the server goes on', async () => {
  expect(await drain('--seconds', '1')).toEqual({
    code: 1,
    signal: null,
    stdout: '',
    stderr: `No server runs on ${dataDir}: set TABWIRE_DATA_DIR to its directory.\n`,
  })
  const { send, query, start, close } = await serve()
  const unsaid = await drain()
  expect([unsaid.code, unsaid.stderr]).toEqual([1, 'seconds: is required where TABWIRE_DRAIN_SECONDS is not set\n'])
  const [{ id }] = (await query<Machines>(MACHINES)).machines as [Machines['machines'][0]]
  const ask = async (args: string) =>
    (await send(`mutation { drainMachine(${args}) }`)).errors?.[0]?.extensions.issues?.[0]
  expect(await ask('machineId: "of-another", seconds: 1')).toEqual({
    path: ['machineId'],
    code: 'FORBIDDEN_VALUE',
    message: `is not ${id}, the machine that responds: send the request to that machine itself`,
  })
  expect(await ask(`machineId: "${id}", seconds: 86401`)).toMatchObject({ path: ['seconds'], code: 'OUT_OF_RANGE' })
  expect(await ask(`machineId: "${id}", seconds: -1`)).toMatchObject({ path: ['seconds'], code: 'OUT_OF_RANGE' })
  await start()
  await close()
})
