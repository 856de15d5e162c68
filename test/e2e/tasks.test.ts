import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { decodeGlobalId } from '../../src/contract/global-id.ts'
import { artifactApi } from '../support/artifact-api.ts'
import { startFakeModelServer, type FakeModelServer } from '../support/fake-model-server.ts'
import { leakGate } from '../support/leak-gate.ts'
import { sessionApi } from '../support/session-api.ts'
import { startTestApp, type TestApp } from '../support/start-app.ts'
import { aiOf, call, calls, finish, MODEL_KEY, refOf, steps, taskApi } from '../support/task-api.ts'
import { startTestSite, type TestSite } from '../support/test-site.ts'

leakGate()

let site: TestSite
let model: FakeModelServer
let tabwire: TestApp

beforeAll(async () => {
  site = await startTestSite()
  model = await startFakeModelServer()
  tabwire = await startTestApp({ ai: aiOf(model) })
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
const artifacts = artifactApi(() => tabwire)
const tasks = taskApi(() => tabwire)

/** Signs in to the shop, searches, reads the list, like a user. */
const shopping = (result: unknown) =>
  steps(
    { text: 'I open the shop.', calls: [call('navigate', { url: `${site.url}/shop` })] },
    ({ last }) =>
      calls(
        call('fill', { target: refOf(last, 'textbox "User"'), value: 'ann' }),
        call('fill', { target: refOf(last, 'textbox "Password"'), value: 'open sesame' }),
        call('click', { target: refOf(last, 'button "Sign in"') }),
      ),
    ({ last }) =>
      calls(
        call('fill', { target: refOf(last, 'textbox "Search"'), value: 'laptop' }),
        call('select', { target: refOf(last, 'combobox'), labels: ['1500 francs'] }),
        call('click', { target: refOf(last, 'button "Search"') }),
      ),
    calls(call('extract', { target: { css: '.item' }, as: 'LIST', fields: { name: 'b', price: 'span' } })),
    ({ last }) => {
      expect(last).toContain('Pebble 11')
      return finish(result)
    },
  )

const CHEAPEST = {
  type: 'object',
  properties: { name: { type: 'string' }, price: { type: 'integer' } },
  required: ['name', 'price'],
  additionalProperties: false,
}
const PROMPT = 'Find the cheapest laptop of at most 1500 francs. You are ann, the password is "open sesame".'

describe('a task', () => {
  test('uploads the artifacts that its prompt names by their ids: its owner’s, and no other', async () => {
    const session = await sessions.start()
    const ours = await artifacts.give(session.id, 'hello', 'note.txt', 'text/plain')
    const create =
      'mutation { createApiKey(input: { name: "other", owner: "other", scopes: [READ, WRITE] }) { secret } }'
    const { secret } = (await tabwire.query<{ createApiKey: { secret: string } }>(create)).createApiKey
    const give = `mutation { startSession { id } }`
    const { startSession: elsewhere } = await tabwire.query<{ startSession: { id: string } }>(give, {}, secret)
    const theirs = await artifacts.give(elsewhere.id, 'secret', 'theirs.txt', 'text/plain', secret)

    const upload = (id: string) => calls(call('upload', { target: { css: '#file' }, artifactIds: [id] }))
    const chosen = `Promise.all([...document.querySelector('#file').files].map((file) => file.text()))`
    model.script = steps(
      calls(
        call('navigate', { url: `${site.url}/weather` }),
        call('evaluate', { expression: `document.body.innerHTML = '<input type="file" id="file">'` }),
      ),
      upload(theirs.id),
      upload(decodeGlobalId(ours.id)!.uuid),
      calls(call('evaluate', { expression: chosen })),
      upload(ours.id),
      calls(call('evaluate', { expression: chosen })),
      finish('done'),
    )
    await tasks.start(session.id, { prompt: `Upload the artifact ${ours.id}.` })
    expect(await tasks.ended(session.id)).toMatchObject({ status: 'COMPLETED' })
    const taken = (await tasks.timeline(session.id)).filter(({ __typename: kind }) => kind === 'Action').slice(2)
    expect(taken.map(({ type, error, result }) => [type, error ? (error as { code: string }).code : result])).toEqual([
      ['UPLOAD', 'NOT_FOUND'],
      ['UPLOAD', 'NOT_FOUND'],
      ['EVALUATE', []],
      ['UPLOAD', null],
      ['EVALUATE', ['hello']],
    ])
    await sessions.terminate(session.id)
    await tabwire.query('mutation ($id: ID!) { terminateSession(id: $id) { id } }', { id: elsewhere.id }, secret)
  })

  test('logs in, fills a form, reads a list, and gives JSON to the schema; its log reads like a story', async () => {
    model.script = shopping({ name: 'Pebble 11', price: 449 })
    const session = await sessions.start({ name: 'shopping' })
    const started = await tasks.start(session.id, { prompt: PROMPT, outputSchema: CHEAPEST })
    expect(started).toMatchObject({ status: 'RUNNING', prompt: PROMPT, result: null, endedAt: null, steps: 0 })
    expect(started.session.id).toBe(session.id)

    const ended = await tasks.ended(session.id)
    expect(ended).toMatchObject({
      id: started.id,
      status: 'COMPLETED',
      result: { name: 'Pebble 11', price: 449 },
      error: null,
      steps: 5,
      cost: { inputTokens: 500, outputTokens: 50 },
    })
    expect(ended.cost.usd).toBeCloseTo(0.001, 9)
    expect(Date.parse(ended.endedAt!)).toBeGreaterThanOrEqual(Date.parse(ended.createdAt))

    const timeline = await tasks.timeline(session.id)
    expect(timeline.map(({ __typename: kind, type, calls: asked }) => type ?? asked?.join('+') ?? kind)).toEqual([
      'StatusChange',
      'StatusChange',
      'navigate',
      'NAVIGATE',
      'fill+fill+click',
      'FILL',
      'FILL',
      'CLICK',
      'fill+select+click',
      'FILL',
      'SELECT',
      'CLICK',
      'extract',
      'EXTRACT',
      'finish',
      'TaskEnded',
    ])
    const actions = timeline.filter(({ __typename: kind }) => kind === 'Action')
    expect(actions.every(({ origin, success }) => origin === 'TASK' && success)).toBe(true)
    expect(actions.map(({ actionCost }) => actionCost !== null)).toEqual([
      true,
      true,
      false,
      false,
      true,
      false,
      false,
      true,
    ])
    expect(timeline.find(({ step }) => step === 1)).toMatchObject({ text: 'I open the shop.', taskId: started.id })
    expect(timeline.at(-1)).toMatchObject({ taskStatus: 'COMPLETED', result: ended.result, steps: 5, cost: ended.cost })
    // Text typed into the password field is in no entry.
    expect(JSON.stringify(timeline)).not.toContain('open sesame')
    const node = await tabwire.query<{ node: object }>(
      'query ($id: ID!) { node(id: $id) { ... on Task { id status } } }',
      {
        id: started.id,
      },
    )
    expect(node.node).toEqual({ id: started.id, status: 'COMPLETED' })
    await sessions.terminate(session.id)
  })

  test('costs are summed up in the session, over its tasks', async () => {
    model.script = finish.bind(null, 'done')
    const { id } = await sessions.start()
    await tasks.start(id, { prompt: 'first' })
    await tasks.ended(id)
    model.script = steps(calls(call('observe')), finish('done'))
    await tasks.start(id, { prompt: 'second' })
    await expect
      .poll(async () => (await tasks.list(id)).map(({ status }) => status))
      .toEqual(['COMPLETED', 'COMPLETED'])
    const costOf = async () => {
      const query = 'query ($id: ID!) { session(id: $id) { cost { inputTokens outputTokens usd } } }'
      return (await tabwire.query<{ session: { cost: { usd: number } } }>(query, { id })).session.cost
    }
    await expect.poll(costOf).toMatchObject({ inputTokens: 300, outputTokens: 30 })
    expect((await costOf()).usd).toBeCloseTo(0.0006, 9)
    await sessions.terminate(id)
    expect(await costOf()).toMatchObject({ inputTokens: 300, outputTokens: 30 })
  })

  test('sees each page as it is now, and only that', async () => {
    model.script = steps(
      calls(call('navigate', { url: `${site.url}/title` })),
      ({ last, everything }) => {
        expect(last).toContain(`${site.url}/title`)
        expect(everything).not.toContain('about:blank')
        return calls(call('openPage', { url: `${site.url}/weather` }))
      },
      ({ last }) => {
        expect(last).toContain('12 degrees')
        expect(last).toMatch(/Other open pages:\np1: .*\/title/)
        return calls(call('switchPage', { pageId: 'p1' }))
      },
      ({ last }) => {
        expect(last).toContain('Page p1 now:')
        return calls(call('closePage'))
      },
      ({ last }) => {
        expect(last).toContain('12 degrees')
        return calls(call('navigate', { url: `${site.url}/long` }))
      },
      ({ last }) => {
        expect(last.length).toBeLessThan(25_000)
        expect(last).toMatch(/\[\d+ more characters/)
        return calls(call('observe', { target: { css: 'li:last-child' }, maxCharacters: 1000 }))
      },
      ({ last }) => {
        expect(last).toContain('An item of a list')
        return finish('seen')
      },
    )
    const { id } = await sessions.start()
    await tasks.start(id, { prompt: 'look around' })
    expect(await tasks.ended(id)).toMatchObject({ status: 'COMPLETED', result: 'seen', error: null })
    await sessions.terminate(id)
  })

  test('an action that fails is told, the calls after it are skipped, and the task goes on', async () => {
    model.script = steps(
      calls(call('navigate', { url: `${site.url}/title` })),
      calls(call('click', { target: { ref: 'e9999' } }), call('reload'), call('finish', { result: 'too early' })),
      ({ everything }) => {
        expect(everything).toContain('Failed with STALE_REF')
        expect(everything).toContain('Skipped')
        return { text: 'There is no such button.' }
      },
    )
    const { id } = await sessions.start()
    await tasks.start(id, { prompt: 'press the button' })
    // A response without a call ends the task with its text.
    expect(await tasks.ended(id)).toMatchObject({ status: 'COMPLETED', result: 'There is no such button.' })
    const failed = (await tasks.timeline(id)).filter(({ success }) => success === false)
    expect(failed.map(({ type, error }) => [type, (error as { code: string }).code])).toEqual([
      ['CLICK', 'STALE_REF'],
      ['RELOAD', 'SKIPPED'],
    ])
    await sessions.terminate(id)
  })

  test('its model is told neither its key nor anything else of the configuration', async () => {
    model.script = finish.bind(null, 'done')
    const { id } = await sessions.start()
    await tasks.start(id, { prompt: 'say something' })
    await tasks.ended(id)
    expect(model.requests).toHaveLength(1)
    const [{ headers, body } = { headers: {}, body: '' }] = model.requests
    expect(headers.authorization).toBe(`Bearer ${MODEL_KEY}`)
    for (const secret of [MODEL_KEY, tabwire.apiKey, tabwire.dataDir, model.url]) expect(body).not.toContain(secret)
    await sessions.terminate(id)
  })

  test('keeps a session from being idle', async () => {
    model.script = steps(calls(call('wait', { timeMs: 2500 })), finish('waited'))
    const { id } = await sessions.start()
    await tasks.start(id, { prompt: 'wait' })
    await sessions.limit(id, { idleTimeoutSeconds: 1 })
    expect(await tasks.ended(id)).toMatchObject({ status: 'COMPLETED', result: 'waited' })
    await expect.poll(async () => (await sessions.get(id))?.endReason).toBe('IDLE_TIMEOUT')
  })
})

describe('initialPrompt', () => {
  test('a task: known at once, and the session ends CLOSED / TASK_COMPLETED with it', async () => {
    model.script = steps(calls(call('navigate', { url: `${site.url}/title` })), finish('A title'))
    const created = await sessions.start({ initialPrompt: `Tell the title of ${site.url}/title` }, 'CREATING')
    const [task] = await tasks.list(created.id)
    expect(task).toMatchObject({ status: 'RUNNING', prompt: `Tell the title of ${site.url}/title` })
    expect(await tasks.ended(created.id)).toMatchObject({ id: task!.id, status: 'COMPLETED', result: 'A title' })
    await expect.poll(async () => (await sessions.get(created.id))?.status).toBe('CLOSED')
    expect(await sessions.get(created.id)).toMatchObject({ endReason: 'TASK_COMPLETED', error: null })
    const timeline = await tasks.timeline(created.id)
    expect(timeline.slice(-2)).toMatchObject([
      { __typename: 'TaskEnded' },
      { __typename: 'StatusChange', to: 'CLOSED' },
    ])
  })

  test('LOADED is RUNNING with a task', async () => {
    model.script = steps({ hangs: null })
    const session = await sessions.start({ initialPrompt: 'do something' }, 'LOADED')
    expect(session.status).toBe('RUNNING')
    await sessions.terminate(session.id)
  })

  test('one that fails: FAILED / TASK_FAILED, with the reason', async () => {
    model.script = steps(calls(call('giveUp', { reason: 'The shop is closed.' })))
    const { id } = await sessions.start({ initialPrompt: 'buy something' })
    await expect.poll(async () => (await sessions.get(id))?.status).toBe('FAILED')
    const error = 'The model gave up: The shop is closed.'
    expect(await sessions.get(id)).toMatchObject({ endReason: 'TASK_FAILED', error })
    expect(await tasks.ended(id)).toMatchObject({ status: 'FAILED', error, result: null })
  })

  test('keepAlive: the session stays, for another task', async () => {
    model.script = steps(finish('done'))
    const { id } = await sessions.start({ initialPrompt: 'do something', keepAlive: true })
    expect(await tasks.ended(id)).toMatchObject({ status: 'COMPLETED' })
    await tasks.start(id, { prompt: 'do more' })
    await expect
      .poll(async () => (await tasks.list(id)).map(({ status }) => status))
      .toEqual(['COMPLETED', 'COMPLETED'])
    expect((await sessions.get(id))?.status).toBe('RUNNING')
    await sessions.terminate(id)
  })

  test('a URL is a URL, also without a scheme', async () => {
    const { id } = await sessions.start({ initialPrompt: `${site.url.replace('http://', '')}/title` }, 'LOADED')
    expect(await sessions.get(id)).toMatchObject({ currentUrl: `${site.url}/title` })
    expect(await tasks.list(id)).toEqual([])
    await sessions.terminate(id)
  })
})
