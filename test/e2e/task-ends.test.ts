import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { browsersOf } from '../support/browser-processes.ts'
import { startFakeModelServer, type FakeModelServer } from '../support/fake-model-server.ts'
import { leakGate } from '../support/leak-gate.ts'
import { sessionApi } from '../support/session-api.ts'
import { startTestApp, type TestApp } from '../support/start-app.ts'
import { aiOf, call, calls, finish, steps, TASK, taskApi } from '../support/task-api.ts'
import { startTestSite, type TestSite } from '../support/test-site.ts'

leakGate()

let site: TestSite
let model: FakeModelServer
let tabwire: TestApp

beforeAll(async () => {
  site = await startTestSite()
  model = await startFakeModelServer()
  tabwire = await startTestApp({ ai: aiOf(model), maxSessions: 2, warmBrowsers: 0 })
})

afterAll(async () => {
  await tabwire.close()
  await model.close()
  await site.close()
})

beforeEach(() => {
  model.requests.length = 0
  model.abandoned = 0
})

const sessions = sessionApi(() => tabwire)
const tasks = taskApi(() => tabwire)

describe('cancelTask', () => {
  test('while the model thinks: it is not heard any more, and the session stays', async () => {
    model.script = () => ({ hangs: 'hm' })
    const { id } = await sessions.start()
    const task = await tasks.start(id, { prompt: 'think' })
    await expect.poll(() => model.requests.length).toBe(1)
    expect(await tasks.cancel(task.id)).toMatchObject({ id: task.id, status: 'CANCELLED', result: null, error: null })
    await expect.poll(() => model.abandoned).toBe(1)
    // Again: as it ended.
    expect(await tasks.cancel(task.id)).toMatchObject({ status: 'CANCELLED' })
    expect((await tasks.timeline(id)).at(-1)).toMatchObject({ __typename: 'TaskEnded', taskStatus: 'CANCELLED' })
    expect((await sessions.get(id))?.status).toBe('RUNNING')
    model.script = () => finish('free again')
    await tasks.start(id, { prompt: 'more' })
    expect(await tasks.ended(id)).toMatchObject({ result: 'free again' })
    await sessions.terminate(id)
  })

  test('while an action runs: the action is cut short, and the log says so before it says that the task ended', async () => {
    model.script = () => calls(call('wait', { timeMs: 60_000, timeoutMs: 90_000 }), call('reload'))
    const { id } = await sessions.start()
    const task = await tasks.start(id, { prompt: 'wait' })
    await expect.poll(async () => (await tasks.timeline(id)).some(({ step }) => step === 1)).toBe(true)
    expect(await tasks.cancel(task.id)).toMatchObject({ status: 'CANCELLED' })
    await expect
      .poll(async () => (await tasks.timeline(id)).slice(-3).map(({ __typename: kind }) => kind))
      .toEqual(['Action', 'Action', 'TaskEnded'])
    const actions = (await tasks.timeline(id)).filter(({ __typename: kind }) => kind === 'Action')
    expect(actions.map(({ error }) => (error as { code: string }).code)).toEqual(['CANCELLED', 'CANCELLED'])
    await sessions.terminate(id)
  })

  test('an initial task that was cancelled leaves its session to whoever cancelled it', async () => {
    model.script = () => ({ hangs: null })
    const { id } = await sessions.start({ initialPrompt: 'think about it' })
    const [task] = await tasks.list(id)
    expect(await tasks.cancel(task!.id)).toMatchObject({ status: 'CANCELLED' })
    expect((await sessions.get(id))?.status).toBe('RUNNING')
    await sessions.terminate(id)
  })

  test('of an initial task whose session still waits for a slot', async () => {
    const running = await Promise.all([sessions.start(), sessions.start()])
    const { id } = await sessions.start({ initialPrompt: 'think about it' }, 'CREATING')
    const [task] = await tasks.list(id)
    expect(task).toMatchObject({ status: 'RUNNING', steps: 0 })
    expect((await tasks.refusal(id, { prompt: 'x' })).extensions.code).toMatch(/SESSION_NOT_RUNNING/)
    expect(await tasks.cancel(task!.id)).toMatchObject({ status: 'CANCELLED' })
    await Promise.all([id, ...running.map((session) => session.id)].map((one) => sessions.terminate(one)))
    expect(model.requests).toEqual([])
  })

  test('what is not there, or is another owner’s, is NOT_FOUND', async () => {
    model.script = () => ({ hangs: null })
    const { id } = await sessions.start()
    const task = await tasks.start(id, { prompt: 'think' })
    const other = await otherOwner()
    const operations: [string, Record<string, unknown>][] = [
      ['mutation ($id: ID!) { cancelTask(id: $id) { id } }', { id: task.id }],
      ['mutation ($id: ID!) { cancelTask(id: $id) { id } }', { id }],
      ['mutation ($id: ID!) { startTask(sessionId: $id, input: {prompt: "mine"}) { id } }', { id }],
    ]
    for (const [query, variables] of operations) {
      expect((await tabwire.send(query, variables, other)).errors?.[0]?.extensions.code).toBe('NOT_FOUND')
    }
    const node = await tabwire.query('query ($id: ID!) { node(id: $id) { id } }', { id: task.id }, other)
    expect(node).toEqual({ node: null })
    expect(await tasks.list(id)).toMatchObject([{ status: 'RUNNING' }])
    await sessions.terminate(id)
  })
})

async function otherOwner(): Promise<string> {
  const query = 'mutation { createApiKey(input: {name: "other", owner: "bob", scopes: [READ, WRITE]}) { secret } }'
  return (await tabwire.query<{ createApiKey: { secret: string } }>(query)).createApiKey.secret
}

describe('the end of the session', () => {
  test('terminateSession: the task is CANCELLED, and the log says so before the final status', async () => {
    model.script = steps(calls(call('navigate', { url: `${site.url}/title` })), { hangs: 'hm' })
    const { id } = await sessions.start()
    await tasks.start(id, { prompt: 'think' })
    await expect.poll(() => model.requests.length).toBe(2)
    await sessions.terminate(id)
    const error = 'The session ended (TERMINATED).'
    expect(await tasks.list(id)).toMatchObject([{ status: 'CANCELLED', error, steps: 1 }])
    expect((await tasks.timeline(id)).slice(-2)).toMatchObject([
      { __typename: 'TaskEnded', taskStatus: 'CANCELLED' },
      { __typename: 'StatusChange', to: 'CLOSED' },
    ])
    expect((await tasks.refusal(id, { prompt: 'more' })).extensions.code).toBe('SESSION_NOT_RUNNING')
  })

  test('maxDurationSeconds: the task is FAILED', async () => {
    model.script = () => ({ hangs: null })
    const { id } = await sessions.start({ initialPrompt: 'think about it', maxDurationSeconds: 2 })
    const ended = await tasks.ended(id)
    expect(ended).toMatchObject({ status: 'FAILED', error: 'The session ended (MAX_DURATION).' })
    await expect.poll(async () => (await sessions.get(id))?.endReason).toBe('MAX_DURATION')
  })

  test('a browser that dies: the task is FAILED, and the log says so before the final status', async () => {
    model.script = () => ({ hangs: 'hm' })
    const { id } = await sessions.start()
    await tasks.start(id, { prompt: 'think' })
    await expect.poll(() => model.requests.length).toBe(1)
    const [browser] = await browsersOf(process.pid)
    process.kill(browser!.pid, 'SIGKILL')
    expect(await tasks.ended(id)).toMatchObject({ status: 'FAILED', error: 'The session ended (BROWSER_CRASHED).' })
    await expect.poll(async () => (await sessions.get(id))?.status).toBe('FAILED')
    expect((await tasks.timeline(id)).slice(-2)).toMatchObject([
      { __typename: 'TaskEnded', taskStatus: 'FAILED' },
      { __typename: 'StatusChange', to: 'FAILED' },
    ])
  })

  test('while it waits for a slot: its task goes with it', async () => {
    const running = await Promise.all([sessions.start(), sessions.start()])
    const { id } = await sessions.start({ initialPrompt: 'think about it' }, 'CREATING')
    await sessions.terminate(id)
    expect(await tasks.list(id)).toMatchObject([{ status: 'CANCELLED', error: 'The session ended (TERMINATED).' }])
    await Promise.all(running.map((session) => sessions.terminate(session.id)))
  })
})

test('one task at a time', async () => {
  model.script = () => ({ hangs: null })
  const { id } = await sessions.start()
  const START = `mutation ($id: ID!) { startTask(sessionId: $id, input: {prompt: "go"}) { ${TASK} } }`
  const answers = await Promise.all([1, 2, 3].map(() => tabwire.send(START, { id })))
  const codes = answers.map(({ errors }) => errors?.[0]?.extensions.code ?? 'started')
  expect(codes.toSorted()).toEqual(['TASK_RUNNING', 'TASK_RUNNING', 'started'])
  expect(await tasks.list(id)).toHaveLength(1)
  await sessions.terminate(id)
})

test('a client and a task share the session in turns', async () => {
  model.script = steps(calls(call('wait', { timeMs: 300 })), finish('done'))
  const { id } = await sessions.start()
  await tasks.start(id, { prompt: 'wait' })
  await expect.poll(async () => (await tasks.timeline(id)).some(({ step }) => step === 1)).toBe(true)
  const RUN = `mutation ($id: ID!) { runActions(sessionId: $id, actions: [{evaluate: {expression: "1 + 1"}}]) { origin result success } }`
  expect(await tabwire.query(RUN, { id })).toEqual({ runActions: [{ origin: 'API', result: 2, success: true }] })
  expect(await tasks.ended(id)).toMatchObject({ status: 'COMPLETED' })
  await sessions.terminate(id)
})
