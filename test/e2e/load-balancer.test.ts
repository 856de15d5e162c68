import { createClient } from 'graphql-ws'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import WebSocket from 'ws'
import { followLog } from '../../src/client/follow-log.ts'
import { leakGate } from '../support/leak-gate.ts'
import { checkBalancerConfiguration, startLoadBalancer, type TestLoadBalancer } from '../support/load-balancer.ts'
import { freePort } from '../support/free-port.ts'
import { startServerProcess, type ServerProcess } from '../support/server-process.ts'
import { startCluster, type TestCluster } from '../support/start-cluster.ts'
import type { Answer } from '../support/start-app.ts'
import { startTestSite, type TestSite } from '../support/test-site.ts'

/** Three servers behind haproxy as deploy/haproxy configures it: clients know the address of haproxy alone. */

// Three servers and their browsers, on a machine that may be busy.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 })
leakGate()

const API_KEY = 'key-of-the-clients-of-this-test'
const WAIT_LIMITS = { timeout: 120_000 }

let site: TestSite
let cluster: TestCluster
let balancer: TestLoadBalancer
let url: string
const nodes: ServerProcess[] = []
/** Those that have ended. */
const left = new Set<ServerProcess>()
const running = () => nodes.filter((node) => !left.has(node))

beforeAll(async () => {
  site = await startTestSite()
  cluster = await startCluster()
  const port = await freePort()
  url = `http://127.0.0.1:${port}`
  for (let count = 0; count < 3; count += 1) {
    const env = {
      ...cluster.environment,
      TABWIRE_PUBLIC_URL: url,
      TABWIRE_TRUSTED_PROXIES: 'loopback',
      TABWIRE_WARM_BROWSERS: '1',
    }
    nodes.push(await startServerProcess(API_KEY, env))
  }
  balancer = await startLoadBalancer(
    port,
    nodes.map((node) => new URL(node.url).host),
  )
  const seen = new Set<string>()
  await vi.waitFor(async () => {
    if (seen.add(await someNode()).size < 3) throw new Error(`haproxy has chosen ${[...seen].join()} alone`)
  }, WAIT_LIMITS)
})
afterAll(async () => {
  await balancer?.close()
  for (const node of nodes) await node.close()
  await cluster?.close()
  await site?.close()
})

async function send<T>(text: string, variables: object = {}): Promise<Answer<T>> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': API_KEY },
    body: JSON.stringify({ query: text, variables }),
  })
  return (await response.json()) as Answer<T>
}

async function query<T>(text: string, variables: object = {}): Promise<T> {
  const { data, errors } = await send<T>(text, variables)
  if (errors || !data) throw new Error(JSON.stringify(errors))
  return data
}

/** Id of the server that haproxy chose: it refuses what is meant for another one, by its name. */
async function someNode(): Promise<string> {
  const { errors } = await send('mutation { drainMachine(machineId: "of-nobody", seconds: 0) }')
  return /is not (\S+),/.exec(errors?.[0]?.message ?? '')?.[1] ?? ''
}

/** How often haproxy has found that none of them is ready. */
const timesWithoutAny = () => balancer.printed().match(/ready has no server available/g)?.length ?? 0

/** Whether haproxy has found since that one is. (Until then, /ready is answered by one that is only running.) */
const hasReady = () => {
  const changes = balancer.printed().match(/ready has no server available|Server ready\/\w+ is UP/g)
  return changes?.at(-1) !== 'ready has no server available'
}

const idOf = async (node: ServerProcess) => {
  const refused = await fetch(`${node.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': API_KEY },
    body: JSON.stringify({ query: 'mutation { drainMachine(machineId: "of-nobody", seconds: 0) }' }),
  })
  return /is not ([\w-]+),/.exec(await refused.text())![1]!
}

interface Started {
  id: string
  machineId: string
}

const START = `mutation ($input: StartSessionInput) { startSession(input: $input) { id } }`
const NOW = 'query ($id: ID!) { session(id: $id) { id machineId status endReason } }'
async function started(path: string): Promise<Started> {
  const input = { initialPrompt: `${site.url}${path}`, keepAlive: true }
  for (;;) {
    await expect.poll(isEveryNodeWarm, WAIT_LIMITS).toBe(true)
    const { startSession } = await query<{ startSession: { id: string } }>(START, { input })
    const seen: { session: Started & { status: string; endReason: string | null } }[] = []
    const status = async () => {
      seen.push(await query(NOW, { id: startSession.id }))
      return seen.at(-1)!.session.status
    }
    await expect.poll(status, WAIT_LIMITS).not.toBe('CREATING')
    const { session } = seen.at(-1)!
    // A server gives a browser 30 s to start, which may be too little where too much else runs.
    if (session.endReason === 'LAUNCH_FAILED') continue
    expect(session).toMatchObject({ status: 'RUNNING', endReason: null })
    return session
  }
}

async function isEveryNodeWarm(): Promise<boolean> {
  const { machines } = await query<{ machines: { warm: number; draining: boolean }[] }>(
    '{ machines { warm draining } }',
  )
  return machines.every(({ warm, draining }) => draining || warm > 0)
}

const FOLLOW = `subscription ($id: ID!, $cursor: String) { consoleMessages(sessionId: $id, after: $cursor) { entries { text } cursor } }`

/** The first lines of a log, over WebSocket or server-sent events. */
async function firstLines(id: string, transport: 'ws' | 'sse', count: number): Promise<string[]> {
  const stop = new AbortController()
  const client =
    transport === 'sse'
      ? { url: `${url}/graphql`, headers: { 'x-api-key': API_KEY } }
      : createClient({
          url: `${url.replace('http', 'ws')}/graphql`,
          webSocketImpl: WebSocket,
          connectionParams: { 'X-API-Key': API_KEY },
          retryAttempts: 0,
        })
  const lines: string[] = []
  try {
    const batches = followLog<{
      consoleMessages: {
        entries: { text: string }[]
        cursor: string
        live: boolean
        dropped: number
        droppedUnknown: boolean
      }
    }>(client, FOLLOW, { id }, { signal: stop.signal })
    for await (const { entries } of batches) {
      lines.push(...entries.map(({ text }) => text))
      if (lines.length >= count) break
    }
  } finally {
    stop.abort()
    if ('dispose' in client) await client.dispose()
  }
  return lines.slice(0, count)
}

test('haproxy accepts its configuration, as it is and with the names of Compose', () => {
  expect(checkBalancerConfiguration({})).toEqual({ status: 0, output: 'Configuration file is valid\n' })
  const names = {
    TABWIRE_BALANCER_LISTEN: '*:4000',
    TABWIRE_BALANCER_NODE1: 'node1:4000',
    TABWIRE_BALANCER_NODE2: 'node2:4000',
    TABWIRE_BALANCER_NODE3: 'node3:4000',
  }
  expect(checkBalancerConfiguration(names).status).toBe(0)
})

test('requests take turns without stickiness; every server reads, lists, follows and hands out what any of them has', async () => {
  const turns: string[] = []
  // On a slow machine, a server may look unready for a moment.
  const rounds = async () => {
    turns.push(await someNode())
    const [round, before] = [turns.slice(-3), turns.slice(-6, -3)]
    return [round.join() === before.join(), new Set(round).size]
  }
  await expect.poll(rounds, WAIT_LIMITS).toEqual([true, 3])

  const sessions: Started[] = []
  while (new Set(sessions.map(({ machineId }) => machineId)).size < 3) sessions.push(await started('/ticker?ms=20'))
  const ids = sessions.map(({ id }) => id)
  const list = '{ sessions(first: 50) { nodes { id } } }'
  const one = 'query ($id: ID!) { session(id: $id) { status consoleMessages(first: 2) { nodes { text } } } }'
  for (let turn = 0; turn < 3; turn += 1) {
    const { sessions: listed } = await query<{ sessions: { nodes: { id: string }[] } }>(list)
    expect(listed.nodes.map(({ id }) => id)).toEqual(expect.arrayContaining(ids))
    for (const id of ids) expect(await query(one, { id })).toMatchObject({ session: { status: 'RUNNING' } })
  }
  for (const id of ids) {
    const lines = await firstLines(id, 'ws', 5)
    expect(await firstLines(id, 'sse', 5)).toEqual(lines)
  }

  // Acting is for the server of the session alone, so the file is made there.
  const [{ id, machineId }] = sessions as [Started]
  const machineIds = await Promise.all(nodes.map(idOf))
  const owner = nodes[machineIds.indexOf(machineId)]!
  const shot = 'mutation ($id: ID!) { runActions(sessionId: $id, actions: [{ screenshot: {} }]) { artifact { url } } }'
  const { runActions } = await owner.query<{ runActions: { artifact: { url: string } }[] }>(shot, { id })
  const link = runActions[0]!.artifact.url
  expect(link).toContain(`${url}/`)
  for (let turn = 0; turn < 3; turn += 1) expect((await fetch(link)).status).toBe(200)
  for (const { id: ended, machineId: at } of sessions) {
    const end = 'mutation ($id: ID!) { terminateSession(id: $id) { id } }'
    await nodes[machineIds.indexOf(at)]!.query(end, { id: ended })
  }
})

test('a server that drains leaves: nothing is started there, what is open stays, and followers go on elsewhere', async () => {
  const machineIds = await Promise.all(nodes.map(idOf))
  const session = await started('/ticker?ms=20')
  const leaving = nodes[machineIds.indexOf(session.machineId)]!
  const follower = firstLines(session.id, 'sse', 200)
  await leaving.query('mutation ($id: ID!) { drainMachine(machineId: $id, seconds: 3600) }', {
    id: session.machineId,
  })
  const recent: string[] = []
  const chosen = async () => {
    recent.push(await someNode())
    return recent.slice(-6).includes(session.machineId) || recent.length < 6
  }
  await expect.poll(chosen, WAIT_LIMITS).toBe(false)
  for (let count = 0; count < 3; count += 1) {
    const other = await started('/title')
    expect(other.machineId).not.toBe(session.machineId)
    await nodes[machineIds.indexOf(other.machineId)]!.query(
      'mutation ($id: ID!) { terminateSession(id: $id) { id } }',
      { id: other.id },
    )
  }
  const say = `mutation ($id: ID!) { runActions(sessionId: $id, actions: [{ evaluate: { expression: "1 + 1" } }]) { success } }`
  expect(await leaving.query(say, { id: session.id })).toEqual({ runActions: [{ success: true }] })
  expect(await follower).toHaveLength(200)
  await leaving.query('mutation ($id: ID!) { terminateSession(id: $id) { id } }', { id: session.id })
  await expect
    .poll(
      () =>
        fetch(`${leaving.url}/health`).then(
          () => 'here',
          () => 'gone',
        ),
      WAIT_LIMITS,
    )
    .toBe('gone')
  expect(await firstLines(session.id, 'ws', 5)).toEqual(await firstLines(session.id, 'sse', 5))
  left.add(leaving)
})

test('S3 away: no server is ready, sessions start and log all the same, and files are refused until it is back', async () => {
  const ready = async () => {
    const response = await fetch(`${url}/ready`)
    return [response.status, ((await response.json()) as { missing?: string[] }).missing]
  }
  await expect.poll(ready, WAIT_LIMITS).toEqual([200, []])
  await expect.poll(hasReady, WAIT_LIMITS).toBe(true)
  const before = timesWithoutAny()
  cluster.s3.intercept = (_, response) => {
    response.writeHead(503).end()
    return true
  }
  await expect.poll(timesWithoutAny, WAIT_LIMITS).toBeGreaterThan(before)
  // On a slow machine, haproxy may have missed their answers before.
  await expect.poll(ready, WAIT_LIMITS).toEqual([503, ['the artifact store cannot be used']])
  const machineIds = await Promise.all(running().map(idOf))
  const { id, machineId } = await started('/ticker?ms=20')
  const owner = running()[machineIds.indexOf(machineId)]!
  expect(await firstLines(id, 'ws', 3)).toHaveLength(3)
  const shot = 'mutation ($id: ID!) { runActions(sessionId: $id, actions: [{ screenshot: {} }]) { error { code } } }'
  expect(await owner.query(shot, { id })).toEqual({ runActions: [{ error: { code: 'STORAGE_UNAVAILABLE' } }] })
  cluster.s3.intercept = null
  await expect.poll(ready, WAIT_LIMITS).toEqual([200, []])
  expect(await owner.query(shot, { id })).toEqual({ runActions: [{ error: null }] })
  await owner.query('mutation ($id: ID!) { terminateSession(id: $id) { id } }', { id })
})

test('PostgreSQL away: no server is ready, and clients are told so with the code of the servers', async () => {
  await expect.poll(hasReady, WAIT_LIMITS).toBe(true)
  const before = timesWithoutAny()
  await cluster.postgres.stop()
  await expect.poll(timesWithoutAny, WAIT_LIMITS).toBeGreaterThan(before)
  const reported = async () => {
    const response = await fetch(`${url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-api-key': API_KEY },
      body: JSON.stringify({ query: '{ sessions(first: 1) { nodes { id } } }' }),
    })
    const ready = await fetch(`${url}/ready`)
    return [(await response.text()).match(/DATABASE_UNAVAILABLE/)?.[0], ready.status, (await ready.text()).slice(0, 14)]
  }
  await expect.poll(reported, WAIT_LIMITS).toEqual(['DATABASE_UNAVAILABLE', 503, '{"ready":false'])
  await cluster.postgres.start()
  await expect.poll(async () => (await fetch(`${url}/ready`)).status, WAIT_LIMITS).toBe(200)
  await expect
    .poll(async () => (await send('{ sessions(first: 1) { nodes { id } } }')).errors, WAIT_LIMITS)
    .toBe(undefined)
})

test('haproxy away: sessions and their logs continue, and so do their idle timeouts', async () => {
  const [kept, idle] = [await started('/ticker?ms=20'), await started('/title')]
  const machineIds = await Promise.all(running().map(idOf))
  const nodeOf = ({ machineId }: Started) => running()[machineIds.indexOf(machineId)]!
  const port = Number(new URL(url).port)
  await balancer.close()
  try {
    await expect(fetch(`${url}/health`)).rejects.toThrow()
    const limit = `mutation ($id: ID!) { updateSession(id: $id, input: { keepAlive: false, idleTimeoutSeconds: 1 }) { id } }`
    await nodeOf(idle).query(limit, { id: idle.id })
    const now = () => nodeOf(idle).query(NOW, { id: idle.id })
    await expect.poll(now, WAIT_LIMITS).toMatchObject({ session: { endReason: 'IDLE_TIMEOUT' } })
  } finally {
    balancer = await startLoadBalancer(
      port,
      nodes.map((node) => new URL(node.url).host),
    )
  }
  const lines = await firstLines(kept.id, 'ws', 100)
  expect(lines).toEqual(lines.map((_, index) => `tick ${index + 1}`))
  await nodeOf(kept).query('mutation ($id: ID!) { terminateSession(id: $id) { id } }', { id: kept.id })
})
