import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { findBrowserExecutable } from '../../src/adapters/playwright/launch/browser-executable.ts'
import { startFakeModelServer, type FakeModelServer } from '../support/fake-model-server.ts'
import { leakGate } from '../support/leak-gate.ts'
import { sessionApi } from '../support/session-api.ts'
import { machineIdOf, startCluster, type TestCluster } from '../support/start-cluster.ts'
import type { TestApp } from '../support/start-app.ts'
import { aiOf, call, calls, finish, steps, taskApi } from '../support/task-api.ts'

leakGate()

/** Sessions that are started through one machine, and run on another one that has a warm browser. */

const API_KEY = 'key-of-the-servers-of-this-test'
/** For a browser that starts where too much else runs. */
const STARTED = { timeout: 120_000 }

let site: { url: string; server: Server; seen: IncomingHttpHeaders[] }
let model: FakeModelServer
let cluster: TestCluster
let database: pg.Client
let asked: TestApp
let running: TestApp
let idOfRunning: string
const sessions = sessionApi(() => asked)
const tasks = taskApi(() => asked)

beforeAll(async () => {
  site = await startSite()
  model = await startFakeModelServer()
  cluster = await startCluster()
  const overrides = { apiKey: API_KEY, ai: aiOf(model) }
  asked = await cluster.start(overrides)
  running = await cluster.start({ ...overrides, warmBrowsers: 1 })
  idOfRunning = await machineIdOf(running)
  await cluster.startOnly(idOfRunning)
  database = new pg.Client({ connectionString: cluster.postgres.url })
  await database.connect()
})
afterAll(async () => {
  await database?.end()
  await cluster?.close()
  await model?.close()
  site?.server.closeAllConnections()
  site?.server.close()
})

/** /set gives a cookie; everything else wants a password, and keeps the headers of those who have it. */
async function startSite(): Promise<typeof site> {
  const seen: IncomingHttpHeaders[] = []
  const server = createServer((request, response) => {
    response.setHeader('content-type', 'text/html')
    if (request.url === '/set') response.setHeader('set-cookie', 'kept=in-the-profile; Max-Age=3600')
    else if (!request.headers.authorization) response.writeHead(401, { 'www-authenticate': 'Basic realm="site"' })
    else seen.push(request.headers)
    response.end('<!doctype html><link rel="icon" href="data:,"><title>A page</title>')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server, seen }
}

const START_ROW = `select start.machine_id as "machineId", start.lost_machines as losses, start.sealed is null as "isOpened"
  from session_starts as start join sessions on sessions.id = start.session_id where sessions.name = $1`
const startOf = async (name: string) => (await database.query<Record<string, unknown>>(START_ROW, [name])).rows[0]

test('what a start was given arrives at the machine that claims it later', { timeout: 300_000 }, async () => {
  const first = await sessions.start({ initialPrompt: `${site.url}/set` }, 'LOADED')
  const save = 'mutation ($id: ID!) { saveProfile(sessionId: $id, name: "kept") { id } }'
  const { saveProfile } = await asked.query<{ saveProfile: { id: string } }>(save, { id: first.id })
  await sessions.terminate(first.id)
  await cluster.startOnly('nobody')
  const waiting = await sessions.start(
    {
      name: 'given',
      initialPrompt: `${site.url}/tell`,
      profileId: saveProfile.id,
      extraHeaders: { 'x-given': 'a header' },
      httpCredentials: { origin: site.url, username: 'ann', password: 'open sesame' },
      userAgent: 'given/1',
      locale: 'de-CH',
      viewport: { width: 432, height: 321 },
    },
    'CREATING',
  )
  expect(waiting).toMatchObject({ status: 'CREATING', machineId: null })
  await cluster.startOnly(idOfRunning)
  await expect.poll(() => site.seen, STARTED).toHaveLength(1)
  expect(site.seen[0]).toMatchObject({
    cookie: 'kept=in-the-profile',
    'x-given': 'a header',
    authorization: `Basic ${Buffer.from('ann:open sesame').toString('base64')}`,
    'user-agent': 'given/1',
    'accept-language': expect.stringContaining('de-CH'),
  })
  await expect.poll(() => sessions.get(waiting.id)).toMatchObject({ title: 'A page', machineId: idOfRunning })
  const run = `mutation ($id: ID!) { runActions(sessionId: $id, actions: [{ evaluate: { expression: "innerWidth" } }]) { result } }`
  expect(await asked.query(run, { id: waiting.id })).toEqual({ runActions: [{ result: 432 }] })
  // Its password does not stay.
  await expect.poll(async () => (await startOf('given'))?.['isOpened'] ?? true).toBe(true)
  await sessions.terminate(waiting.id)
})

/** Kinds of the entries of tasks, in the order of the log. */
function follow(id: string) {
  const seen: string[] = []
  const query = `subscription ($id: ID!) { sessionEvents(sessionId: $id, kinds: [TASK_STEP, TASK_ENDED, STATUS_CHANGE]) {
    entries { __typename ... on TaskEnded { taskStatus } ... on StatusChange { to } } } }`
  type Batch = { sessionEvents: { entries: { __typename: string; taskStatus?: string; to?: string }[] } }
  const ended = (async () => {
    for await (const { data, errors } of asked.client().iterate<Batch>({ query, variables: { id } })) {
      if (errors || !data) throw new Error(JSON.stringify(errors))
      for (const { __typename: kind, taskStatus, to } of data.sessionEvents.entries) seen.push(taskStatus ?? to ?? kind)
    }
  })()
  return { seen, ended }
}

test(
  'tasks, initial ones too, are started, followed and canceled through another machine',
  { timeout: 300_000 },
  async () => {
    model.script = steps(calls(call('evaluate', { expression: '6 * 7' })), finish('it is 42'))
    const { id, machineId } = await sessions.start({ initialPrompt: 'How much is six times seven?', keepAlive: true })
    expect(machineId).toBe(idOfRunning)
    const followed = follow(id)
    const initial = await tasks.ended(id)
    expect(initial).toMatchObject({ status: 'COMPLETED', result: 'it is 42', steps: 2 })

    model.script = () => ({ hangs: null })
    const second = await tasks.start(id, { prompt: 'Wait for ever.' })
    expect(second).toMatchObject({ status: 'RUNNING', session: { id } })
    expect((await tasks.refusal(id, { prompt: 'Another.' })).extensions).toMatchObject({ code: 'TASK_RUNNING' })
    expect((await tasks.refusal(id, { prompt: '' })).extensions).toMatchObject({ code: 'BAD_USER_INPUT' })
    expect(await tasks.cancel(second.id)).toMatchObject({ id: second.id, status: 'CANCELLED' })
    expect((await tasks.list(id)).map(({ status }) => status)).toEqual(['COMPLETED', 'CANCELLED'])

    model.script = steps(finish({ third: true }))
    await tasks.start(id, { prompt: 'Finish.' })
    await expect.poll(async () => (await tasks.list(id)).at(-1)).toMatchObject({ result: { third: true } })
    // The log has the end of a task after its row has it.
    await expect.poll(() => followed.seen.filter((one) => /^(COMPLETED|CANCELLED)$/.test(one))).toHaveLength(3)
    await sessions.terminate(id)
    await followed.ended
    expect(followed.seen).toEqual([
      'CREATING',
      'RUNNING',
      'TaskStep',
      'TaskStep',
      'COMPLETED',
      'CANCELLED',
      'TaskStep',
      'COMPLETED',
      'CLOSED',
    ])
  },
)

test(
  'what only the machine that was asked can do fails on another one, and says why',
  { timeout: 300_000 },
  async () => {
    const plain = await cluster.start({ apiKey: API_KEY })
    await cluster.startOnly(await machineIdOf(plain))
    try {
      const { id } = await sessions.start({ initialPrompt: 'A task in words.' }, 'CREATING')
      await expect
        .poll(() => sessions.get(id), STARTED)
        .toMatchObject({ status: 'FAILED', endReason: 'LAUNCH_FAILED', error: expect.stringContaining('model') })
    } finally {
      await cluster.startOnly(idOfRunning)
      await plain.close()
    }
  },
)

test('starts run while NATS is away, and once it is back, without a restart', { timeout: 300_000 }, async () => {
  await cluster.nats.stop()
  const meanwhile = await sessions.start({}, 'CREATING')
  await expect
    .poll(() => sessions.get(meanwhile.id), STARTED)
    .toMatchObject({ status: 'RUNNING', machineId: idOfRunning })
  await cluster.nats.start()
  const later = await sessions.start()
  expect(later).toMatchObject({ status: 'RUNNING', machineId: idOfRunning })
  for (const { id } of [meanwhile, later]) {
    const end = () => asked.send('mutation ($id: ID!) { terminateSession(id: $id) { status } }', { id })
    await expect.poll(async () => (await end()).data).toEqual({ terminateSession: { status: 'CLOSED' } })
  }
})

test('the machine with a warm browser comes first, also with more live sessions', { timeout: 300_000 }, async () => {
  const { id: live } = await sessions.start()
  const machine = async () => {
    const { machines } = await asked.query<{ machines: { id: string; warm: number; live: number }[] }>(
      '{ machines { id warm live } }',
    )
    return machines.find(({ id }) => id === idOfRunning)
  }
  await expect.poll(machine, STARTED).toMatchObject({ warm: 1, live: 1 })
  // Starts of tomorrow: they are left to the machine that suits them best for as long as this one takes.
  await database.query(`
    create function queue_tomorrow() returns trigger language plpgsql as $$ begin
      new.queued_at := now() + interval '1 day'; return new;
    end $$;
    create trigger queue_tomorrow before insert on session_starts for each row execute function queue_tomorrow()`)
  await cluster.startOnly(null)
  try {
    const { id, machineId } = await sessions.start()
    expect(machineId).toBe(idOfRunning)
    await sessions.terminate(id)
  } finally {
    await database.query('drop trigger queue_tomorrow on session_starts')
    await cluster.startOnly(idOfRunning)
  }
  await sessions.terminate(live)
})

test('a machine that shuts down hands back what it has claimed and not started', { timeout: 300_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tabwire-test-'))
  const [flag, browserPath] = [join(folder, 'hang'), join(folder, 'browser')]
  const real = findBrowserExecutable(process.env['TABWIRE_BROWSER_PATH'] ?? null)
  const script = `#!/bin/sh\nwhile [ -e '${flag}' ]; do sleep 0.2; done\nexec '${real}' "$@"\n`
  await writeFile(browserPath, script, { mode: 0o755 })
  try {
    const hanging = await cluster.start({ apiKey: API_KEY, browserPath })
    const hangingId = await machineIdOf(hanging)
    await writeFile(flag, '')
    await cluster.startOnly(hangingId)
    const { id } = await sessions.start({ name: 'handed back' }, 'CREATING')
    await expect.poll(() => sessions.get(id)).toMatchObject({ status: 'CREATING', machineId: hangingId })
    await hanging.close()
    // It was not lost: the others had nothing to do.
    expect(await startOf('handed back')).toMatchObject({ machineId: null, losses: 0 })
    expect(await sessions.get(id)).toMatchObject({ status: 'CREATING', machineId: null })
    await cluster.startOnly(idOfRunning)
    await expect.poll(() => sessions.get(id), STARTED).toMatchObject({ status: 'RUNNING', machineId: idOfRunning })
    await sessions.terminate(id)
  } finally {
    await rm(flag, { force: true })
    await rm(folder, { recursive: true, force: true })
    await cluster.startOnly(idOfRunning)
  }
})
