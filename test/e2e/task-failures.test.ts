import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { startFakeModelServer, type FakeModelServer, type Reply } from '../support/fake-model-server.ts'
import { leakGate } from '../support/leak-gate.ts'
import { sessionApi } from '../support/session-api.ts'
import { startTestApp, type TestApp } from '../support/start-app.ts'
import { aiOf, call, calls, finish, MODEL_KEY, steps, taskApi } from '../support/task-api.ts'
import { startTestSite, type TestSite } from '../support/test-site.ts'

leakGate()

let site: TestSite
let model: FakeModelServer
let tabwire: TestApp
/** One session for all tests that leave it unchanged. */
let sessionId: string

beforeAll(async () => {
  site = await startTestSite()
  model = await startFakeModelServer()
  tabwire = await startTestApp({ ai: aiOf(model) })
  sessionId = (await sessions.start({ keepAlive: true })).id
})

afterAll(async () => {
  await tabwire.close()
  await model.close()
  await site.close()
})

beforeEach(() => {
  model.requests.length = 0
})

const sessions = sessionApi(() => tabwire)
const tasks = taskApi(() => tabwire)

describe('a vendor that fails', () => {
  const failures: [string, Reply, RegExp, number][] = [
    ['refuses the key', { status: 401, error: { message: `no ${MODEL_KEY}` } }, /refused the API key \(HTTP 401\)/, 1],
    ['limits requests for too long', { status: 429, headers: { 'retry-after': '3600' } }, /asks to wait 3600 s/, 1],
    [
      'is down',
      { status: 503, error: { message: 'overloaded' } },
      /HTTP 503\): overloaded\. It was asked 4 times\./,
      4,
    ],
    ['breaks off its answers', { breaks: 'I wi' }, /broke off.*asked 4 times/, 4],
    ['has too short a memory', { status: 400, error: { code: 'context_length_exceeded' } }, /context length/, 1],
  ]

  test.each(failures)('%s: the task is FAILED with a reason for people', async (_, reply, reason, requests) => {
    model.script = () => reply
    await tasks.start(sessionId, { prompt: 'try' })
    const ended = await tasks.ended(sessionId)
    expect(ended).toMatchObject({ status: 'FAILED', result: null, steps: 0 })
    expect(ended.error).toMatch(reason)
    expect(ended.error).not.toContain(MODEL_KEY)
    expect(model.requests).toHaveLength(requests)
    expect((await tasks.timeline(sessionId)).at(-1)).toMatchObject({ __typename: 'TaskEnded', taskStatus: 'FAILED' })
  })

  test.each([
    ['down', { status: 500 }],
    ['limiting requests', { status: 429, headers: { 'retry-after': '1' } }],
    ['breaking off', { breaks: 'I wi' }],
  ] as [string, Reply][])('%s for a while is asked again', async (_, reply) => {
    model.script = ({ request }) => (request <= 2 ? reply : finish('at last'))
    await tasks.start(sessionId, { prompt: 'try' })
    expect(await tasks.ended(sessionId)).toMatchObject({ status: 'COMPLETED', result: 'at last', steps: 1 })
  })
})

describe('a model that talks nonsense', () => {
  const nonsense: [string, Reply, RegExp][] = [
    ['no such tool', calls(call('fly', { to: 'the moon' })), /no tool named "fly"/],
    ['no JSON', calls(call('click', '{"target": {"ref"')), /no JSON/],
    ['the wrong input', calls(call('click', { target: { ref: 'e1', css: 'a' } })), /exactly one of/],
    ['nothing', { text: '' }, /were empty/],
    ['without an end', { text: 'and then', finish: 'length' }, /were cut/],
  ]

  test.each(nonsense)('%s: is told so, and after three times in a row the task is FAILED', async (_, reply, reason) => {
    model.script = () => reply
    await tasks.start(sessionId, { prompt: 'try' })
    const ended = await tasks.ended(sessionId)
    expect(ended).toMatchObject({ status: 'FAILED', steps: 3, cost: { inputTokens: 300 } })
    expect(ended.error).toMatch(reason)
    expect((await tasks.timeline(sessionId)).filter(({ __typename: kind }) => kind === 'Action')).toEqual([])
  })

  test.each(nonsense)('%s: once or twice does no harm', async (_, reply) => {
    const said = [reply, reply, calls(call('observe')), reply, reply, finish('well')]
    model.script = ({ request }) => said[request - 1]!
    await tasks.start(sessionId, { prompt: 'try' })
    expect(await tasks.ended(sessionId)).toMatchObject({ status: 'COMPLETED', result: 'well', steps: 6 })
  })

  test('a filter that refuses ends the task', async () => {
    model.script = () => ({ text: 'I', finish: 'content_filter' })
    await tasks.start(sessionId, { prompt: 'try' })
    expect((await tasks.ended(sessionId)).error).toMatch(/refused to answer/)
  })
})

describe('a result that does not fit the schema', () => {
  const outputSchema = { type: 'object', properties: { n: { type: 'integer' } }, required: ['n'] }

  test('is told to the model, which may mend it', async () => {
    model.script = steps(finish({ n: 'one' }), ({ last }) => {
      expect(last).toContain('/n must be integer')
      return finish({ n: 1 })
    })
    await tasks.start(sessionId, { prompt: 'count', outputSchema })
    expect(await tasks.ended(sessionId)).toMatchObject({ status: 'COMPLETED', result: { n: 1 }, error: null })
  })

  test('fails the task the third time', async () => {
    model.script = () => finish({})
    await tasks.start(sessionId, { prompt: 'count', outputSchema })
    const ended = await tasks.ended(sessionId)
    expect(ended).toMatchObject({ status: 'FAILED', result: null, steps: 3 })
    expect(ended.error).toMatch(/required property 'n'/)
  })

  test.each([
    ['as words', { text: '{"n": 2}' }],
    ['in a fence', { text: '```json\n{"n": 2}\n```' }],
    ['as text in finish', finish('{"n": 2}')],
  ] as [string, Reply][])('JSON %s is taken as JSON', async (_, reply) => {
    model.script = () => reply
    await tasks.start(sessionId, { prompt: 'count', outputSchema })
    expect(await tasks.ended(sessionId)).toMatchObject({ status: 'COMPLETED', result: { n: 2 } })
  })
})

describe('bounds', () => {
  test('maxSteps', async () => {
    model.script = ({ step, last }) => {
      if (step === 2) expect(last).toContain('Your next answer is the last')
      return calls(call('observe'))
    }
    await tasks.start(sessionId, { prompt: 'look for ever', maxSteps: 3 })
    const ended = await tasks.ended(sessionId)
    expect(ended).toMatchObject({ status: 'FAILED', steps: 3 })
    expect(ended.error).toMatch(/within 3 answers \(maxSteps\)/)
  })

  test('maxUsd: looked at after each answer', async () => {
    model.script = () => calls(call('observe'))
    await tasks.start(sessionId, { prompt: 'look for ever', maxUsd: 0.0003 })
    const ended = await tasks.ended(sessionId)
    expect(ended).toMatchObject({ status: 'FAILED', steps: 2 })
    expect(ended.error).toMatch(/cost 0\.000400 USD of 0\.0003 \(maxUsd\)/)
    model.script = () => ({ ...calls(call('observe')), usage: null })
    await tasks.start(sessionId, { prompt: 'look for ever', maxUsd: 1 })
    expect((await tasks.ended(sessionId)).error).toMatch(/does not tell how many tokens/)
  })

  test('timeoutSeconds, while the model thinks and while an action runs', async () => {
    for (const reply of [{ hangs: 'hm' }, calls(call('wait', { timeMs: 25_000 }))] as Reply[]) {
      model.script = () => reply
      await tasks.start(sessionId, { prompt: 'take your time', timeoutSeconds: 1 })
      const ended = await tasks.ended(sessionId)
      expect(ended).toMatchObject({ status: 'FAILED', error: 'The task took longer than 1 s (timeoutSeconds).' })
    }
  })

  test.each([
    [{ prompt: '' }, ['input.prompt']],
    [{ prompt: 'x'.repeat(8001) }, ['input.prompt']],
    [
      { prompt: 'x', maxSteps: 0, maxUsd: -1, timeoutSeconds: 0 },
      ['input.maxSteps', 'input.maxUsd', 'input.timeoutSeconds'],
    ],
    [{ prompt: 'x', outputSchema: [] }, ['input.outputSchema']],
    [{ prompt: 'x', outputSchema: { $ref: 'https://example.com/x' } }, ['input.outputSchema']],
    [{ prompt: 'x', outputSchema: { description: 'x'.repeat(40_000) } }, ['input.outputSchema']],
  ])('broken rules are refused: %#', async (input, paths) => {
    const { extensions } = await tasks.refusal(sessionId, input)
    expect(extensions.code).toBe('BAD_USER_INPUT')
    expect(extensions.issues?.map(({ path }) => path.join('.')).toSorted()).toEqual(paths)
    expect(model.requests).toEqual([])
  })
})
