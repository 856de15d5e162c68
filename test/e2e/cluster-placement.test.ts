import { randomUUID } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { findBrowserExecutable } from '../../src/adapters/playwright/launch/browser-executable.ts'
import { freePort } from '../support/free-port.ts'
import { leakGate } from '../support/leak-gate.ts'
import { startServerProcess, type ServerProcess } from '../support/server-process.ts'
import { sessionApi, type SessionData } from '../support/session-api.ts'
import { machineIdOf, startCluster, type TestCluster } from '../support/start-cluster.ts'
import type { TestApp } from '../support/start-app.ts'

leakGate()

/** Sessions start on the machine that has a free slot, whichever is asked. Each of the two has one. */

const API_KEY = 'key-of-the-servers-of-this-test'
const START = `mutation ($input: StartSessionInput, $waitUntil: StartWait) {
  startSession(input: $input, waitUntil: $waitUntil) { id status machineId } }`

let cluster: TestCluster
let one: TestApp
let other: TestApp
let idOfOne: string
let idOfOther: string
const atOne = sessionApi(() => one)
const atOther = sessionApi(() => other)

beforeAll(async () => {
  cluster = await startCluster()
  one = await cluster.start({ apiKey: API_KEY, maxSessions: 1, maxQueued: 2 })
  other = await cluster.start({ apiKey: API_KEY, maxSessions: 1, maxQueued: 2 })
  idOfOne = await machineIdOf(one)
  idOfOther = await machineIdOf(other)
})
afterAll(() => cluster?.close())
afterEach(async () => {
  await one.query('mutation { terminateSessions(filter: { status: [CREATING, RUNNING] }) }')
  await untilEmpty()
})

async function untilEmpty() {
  await expect.poll(capacity).toMatchObject({ live: 0, queued: 0 })
}

const capacity = async () => {
  const query = '{ capacity { total live queued } }'
  return (await one.query<{ capacity: { total: number; live: number; queued: number } }>(query)).capacity
}
const machineOf = async (id: string) => (await atOne.get(id))?.machineId

test('a start through a full machine runs on the other; then they queue, and the next slot anywhere is theirs', async () => {
  const [first, second] = [await atOne.start(), await atOne.start()]
  expect([first.machineId, second.machineId].toSorted()).toEqual([idOfOne, idOfOther].toSorted())
  expect([first.status, second.status]).toEqual(['RUNNING', 'RUNNING'])
  const third = await atOne.start({}, 'CREATING')
  const fourth = await atOther.start({ name: 'before' }, 'CREATING')
  expect([third.status, third.machineId, third.pages]).toEqual(['CREATING', null, []])
  await expect.poll(capacity).toMatchObject({ total: 2, live: 2, queued: 2 })
  const refused = await other.send(START, { waitUntil: 'CREATING' })
  expect(refused.errors?.[0]?.extensions).toMatchObject({
    code: 'CAPACITY_EXCEEDED',
    retryAfterSeconds: expect.any(Number),
  })
  const rename = 'mutation ($id: ID!) { updateSession(id: $id, input: { name: "after" }) { name status } }'
  expect(await one.query(rename, { id: fourth.id })).toEqual({ updateSession: { name: 'after', status: 'CREATING' } })
  // Canceled on a machine that did not accept it.
  expect(await atOther.terminate(third.id)).toMatchObject({ status: 'CLOSED', endReason: 'TERMINATED' })
  await expect.poll(capacity).toMatchObject({ queued: 1 })
  const onOther = first.machineId === idOfOther ? first : second
  await atOne.terminate(onOther.id)
  await expect.poll(() => atOne.get(fourth.id)).toMatchObject({ status: 'RUNNING', name: 'after' })
  expect(await machineOf(fourth.id)).toBe(idOfOther)
})

test('startSession waits until a session runs on another machine', async () => {
  const first = await atOne.start()
  await cluster.startOnly(first.machineId === idOfOne ? idOfOther : idOfOne)
  const asked = first.machineId === idOfOne ? one : other
  const { startSession } = await asked.query<{ startSession: SessionData }>(START, { waitUntil: 'LOADED' })
  await cluster.startOnly(null)
  // The server waits for 30 s.
  await expect.poll(() => atOne.get(startSession.id)).toMatchObject({ status: 'RUNNING' })
  expect(await machineOf(startSession.id)).not.toBe(first.machineId)
})

test('starts with one idempotency key at both machines are one session', async () => {
  const variables = { input: { idempotencyKey: randomUUID() }, waitUntil: 'RUNNING' }
  const starts = await Promise.all(
    [one, other, one].map((app) => app.query<{ startSession: SessionData }>(START, variables)),
  )
  expect(new Set(starts.map(({ startSession }) => startSession.id)).size).toBe(1)
})

test('a machine that is killed between claim and launch loses nothing', { timeout: 240_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tabwire-test-'))
  const flag = join(folder, 'hang')
  const browser = join(folder, 'browser')
  const real = findBrowserExecutable(process.env['TABWIRE_BROWSER_PATH'] ?? null)
  await writeFile(browser, `#!/bin/sh\nwhile [ -e '${flag}' ]; do sleep 0.2; done\nexec '${real}' "$@"\n`, {
    mode: 0o755,
  })
  const PORT = String(await freePort())
  let hanging: ServerProcess | null = null
  try {
    hanging = await startServerProcess(API_KEY, {
      ...cluster.environment,
      PORT,
      TABWIRE_INTERNAL_URL: `http://127.0.0.1:${PORT}`,
      TABWIRE_WARM_BROWSERS: '0',
      TABWIRE_BROWSER_PATH: browser,
    })
    const { machines } = await hanging.query<{ machines: { id: string }[] }>('{ machines { id } }')
    const hangingId = machines.map(({ id }) => id).find((id) => id !== idOfOne && id !== idOfOther)!
    await writeFile(flag, '')
    await cluster.startOnly(hangingId)
    const input = { httpCredentials: { origin: 'http://127.0.0.1', username: 'kept', password: 'sealed' } }
    const starting = one.query<{ startSession: SessionData }>(START, { input, waitUntil: 'RUNNING' })
    const waiting = async () => (await atOne.get(await theOnly()))?.machineId
    await expect.poll(waiting).toBe(hangingId)
    await cluster.startOnly(null)
    await hanging.kill('SIGKILL')
    const { startSession } = await starting
    await expect.poll(() => atOne.get(startSession.id)).toMatchObject({ status: 'RUNNING' })
    expect([idOfOne, idOfOther]).toContain(await machineOf(startSession.id))
  } finally {
    await rm(flag, { force: true })
    await hanging?.close()
    await cluster.startOnly(null)
    await rm(folder, { recursive: true, force: true })
  }
})

test('a start whose machines are lost again and again ends once, and says why', { timeout: 240_000 }, async () => {
  // No machine has this id: to the others, each of its claims is one of a machine that was lost.
  const gone = 'gone'
  await cluster.startOnly(gone)
  const client = new pg.Client({ connectionString: cluster.postgres.url })
  await client.connect()
  try {
    const variables = { input: { name: 'deadly' }, waitUntil: 'RUNNING' }
    const starting = one.query<{ startSession: SessionData }>(START, variables)
    await expect.poll(theOnly).not.toBe('')
    const id = await theOnly()
    const uuid = (await client.query<{ id: string }>("select id from sessions where name = 'deadly'")).rows[0]!.id
    const follow = `subscription { sessionEvents(sessionId: "${id}") { entries { ... on StatusChange { to endReason errorMessage } } } }`
    type Batch = { sessionEvents: { entries: object[] } }
    const entries: object[] = []
    const following = (async () => {
      for await (const { data } of other.client().iterate<Batch>({ query: follow })) {
        entries.push(...data!.sessionEvents.entries)
      }
    })()
    for (const loss of [1, 2, 3]) {
      await client.query(`
        with claimed as (update sessions set machine_id = '${gone}', machine_epoch = 1 where id = '${uuid}')
        update session_starts set machine_id = '${gone}', machine_epoch = 1 where session_id = '${uuid}'`)
      const losses = async () => {
        const text = 'select lost_machines as losses from session_starts where session_id = $1'
        return (await client.query<{ losses: number }>(text, [uuid])).rows[0]?.losses
      }
      if (loss < 3) await expect.poll(losses).toBe(loss)
    }
    await following
    const error = '3 servers were lost, one after the other, while they started the session.'
    const ended = { endReason: 'MACHINE_LOST', error }
    expect(entries).toEqual([
      expect.objectContaining({ to: 'CREATING' }),
      { to: 'FAILED', endReason: 'MACHINE_LOST', errorMessage: error },
    ])
    const { startSession } = await starting
    await expect.poll(() => atOther.get(startSession.id)).toMatchObject({ id, status: 'FAILED', ...ended })
  } finally {
    await client.end()
    await cluster.startOnly(null)
  }
})

/** The one session that is live. */
const theOnly = async () => {
  const query = '{ sessions(first: 10, filter: { status: [CREATING, RUNNING] }) { nodes { id } } }'
  const { sessions } = await one.query<{ sessions: { nodes: { id: string }[] } }>(query)
  return sessions.nodes[0]?.id ?? ''
}

test('a machine that drains starts nothing, whatever waits', async () => {
  const [first, second] = [await atOne.start(), await atOne.start()]
  const drain = 'mutation ($id: ID!) { drainMachine(machineId: $id, seconds: 3600) }'
  await other.query(drain, { id: idOfOther })
  const third = await atOne.start({}, 'CREATING')
  const refused = await other.send(START, { waitUntil: 'CREATING' })
  expect(refused.errors?.[0]?.extensions).toMatchObject({ code: 'SERVER_DRAINING' })
  const [onOne, onOther] = first.machineId === idOfOne ? [first, second] : [second, first]
  await atOne.terminate(onOther.id)
  await expect.poll(capacity).toMatchObject({ live: 1, queued: 1 })
  await atOne.terminate(onOne.id)
  await expect.poll(() => atOne.get(third.id)).toMatchObject({ status: 'RUNNING' })
  expect(await machineOf(third.id)).toBe(idOfOne)
})

test('no machine is left: what waits is started by the next one', async () => {
  await cluster.startOnly('nobody')
  const waiting = await atOne.start({ name: 'left behind' }, 'CREATING')
  await one.close()
  await other.close()
  one = await cluster.start({ apiKey: API_KEY, maxSessions: 1 })
  other = one
  expect(await atOne.get(waiting.id)).toMatchObject({ status: 'CREATING', machineId: null })
  await cluster.startOnly(null)
  await expect.poll(() => atOne.get(waiting.id)).toMatchObject({ status: 'RUNNING', name: 'left behind' })
  expect(await machineOf(waiting.id)).toBe(await machineIdOf(one))
})
