import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createChatModel, DEFAULT_TIMING } from '../../../src/adapters/chat-model/ai-sdk.ts'
import type { AiConfig } from '../../../src/config.ts'
import { createLogger } from '../../../src/logger.ts'
import type { ChatModel, ModelInput, ModelTool } from '../../../src/ports/tasks/chat-model.ts'
import { startFakeModelServer, USAGE, type FakeModelServer, type Reply } from '../../support/fake-model-server.ts'

const API_KEY = 'key-that-nobody-may-see'
const NEVER = new AbortController().signal
const FAST = { ...DEFAULT_TIMING, firstPart: 300, nextPart: 300, tries: 3, firstPause: 5, longestPause: 2000 }

const CLICK: ModelTool = {
  name: 'click',
  description: 'Clicks.',
  inputSchema: { type: 'object', properties: { ref: { type: 'string' } }, required: ['ref'] },
}

let server: FakeModelServer

beforeAll(async () => {
  server = await startFakeModelServer()
})

afterAll(() => server.close())

beforeEach(() => {
  server.requests.length = 0
})

type Provider = AiConfig['provider']

function model(provider: Provider = 'openai-compatible', more: Partial<AiConfig> = {}): ChatModel {
  const config = { provider, model: 'scripted', apiKey: API_KEY, baseUrl: server.url, prices: {}, ...more }
  return createChatModel(config, createLogger('silent'), FAST)
}

function talk(chat: ChatModel = model(), historyCharacters = 100_000) {
  const conversation = chat.converse({ system: 'Be exact.', tools: [CLICK], historyCharacters })
  return (input: Partial<ModelInput>, signal = NEVER) =>
    conversation.next({ text: null, answers: [], view: null, ...input }, signal)
}

/** Prompts of the model, and its replies, one after the other. */
function replies(...given: Reply[]): void {
  server.script = ({ request }) => given[Math.min(request, given.length) - 1]!
}

const PROVIDERS: [Provider, string, string][] = [
  ['openai-compatible', '/v1/chat/completions', 'authorization'],
  ['openai', '/v1/chat/completions', 'authorization'],
  ['anthropic', '/v1/messages', 'x-api-key'],
]

describe.each(PROVIDERS)('%s', (provider, path, keyHeader) => {
  test('is asked at its base URL, streams words and calls, and is told the answers', async () => {
    replies(
      {
        text: 'I click.',
        calls: [
          { name: 'click', input: { ref: 'e1' } },
          { name: 'click', input: { ref: 'e2' } },
        ],
      },
      { text: 'Done.' },
    )
    const next = talk(model(provider))
    const first = await next({ text: 'Click both.', view: 'two buttons' })
    expect(first).toMatchObject({ text: 'I click.', finishReason: 'TOOL_CALLS' })
    expect(first.calls.map(({ name, input }) => [name, input])).toEqual([
      ['click', { ref: 'e1' }],
      ['click', { ref: 'e2' }],
    ])
    expect(first.cost).toEqual({ inputTokens: USAGE.input, outputTokens: USAGE.output, usd: null })
    const answers = first.calls.map(({ id, name }, index) => ({ callId: id, name, text: `answer ${index}` }))
    expect(await next({ answers, view: 'no button' })).toMatchObject({ text: 'Done.', calls: [], finishReason: 'STOP' })

    expect(server.requests.map((request) => request.path)).toEqual([path, path])
    expect(server.requests[0]!.headers[keyHeader]).toContain(API_KEY)
    const [one, two] = server.requests.map(({ body }) => body)
    for (const reported of ['Be exact.', 'Click both.', 'two buttons', '"click"', '"stream":true'])
      expect(one).toContain(reported)
    for (const reported of ['Click both.', 'answer 0', 'answer 1', 'no button', 'e2']) expect(two).toContain(reported)
    // Earlier snapshots are no longer included.
    expect(two).not.toContain('two buttons')
    expect(one + two!).not.toContain(API_KEY)
  })

  test.each([
    [401, { error: { message: `Incorrect API key provided: ${API_KEY}` } }, /refused the API key \(HTTP 401\)/],
    [403, { error: { message: `not with ${API_KEY}` } }, /does not allow .* \(HTTP 403\): not with …/],
    [404, { error: { message: 'no model scripted' } }, /no such model or address \(HTTP 404\)/],
    [400, { error: { message: 'This model’s maximum context length is 10 tokens' } }, /context length/],
    [400, { error: { message: 'bad tools' } }, /failed \(HTTP 400\): bad tools/],
    [429, { error: { message: 'You exceeded your current quota', code: 'insufficient_quota' } }, /no credit left/],
  ])('%s is not tried again: %j', async (status, error, reason) => {
    replies({ status, error: error.error })
    const message = await talk(model(provider))({ text: 'go' }).then(
      () => 'it answered',
      (thrown: unknown) => String(thrown),
    )
    expect(message).toMatch(reason)
    expect(message).not.toContain(API_KEY)
    expect(server.requests).toHaveLength(1)
  })

  test('429 is tried again after the time that the vendor asks for, if that is not too long', async () => {
    replies({ status: 429, headers: { 'retry-after': '0.05' } }, { text: 'now' })
    expect((await talk(model(provider))({ text: 'go' })).text).toBe('now')
    server.requests.length = 0
    replies({ status: 429, headers: { 'retry-after': '120' } })
    await expect(talk(model(provider))({ text: 'go' })).rejects.toThrow(/HTTP 429.*asks to wait 120 s/)
    expect(server.requests).toHaveLength(1)
  })

  test.each([
    ['a server error', { status: 503, error: { message: 'overloaded' } }, /HTTP 503/],
    ['a stream that breaks', { breaks: 'I will' }, /broke off/],
    [
      'an error in the stream',
      { streamError: { type: 'overloaded_error', message: 'Overloaded' } },
      /Overloaded|broke off/,
    ],
    ['no answer at all', { hangs: null }, /said nothing/],
    ['an answer that stops', { hangs: 'I wi' }, /said nothing/],
  ] as [string, Reply, RegExp][])('%s is tried again within bounds', async (_, bad, reason) => {
    replies(bad, { text: 'well' })
    expect((await talk(model(provider))({ text: 'go' })).text).toBe('well')
    server.requests.length = 0
    replies(bad)
    await expect(talk(model(provider))({ text: 'go' })).rejects.toThrow(reason)
    expect(server.requests).toHaveLength(FAST.tries)
  })

  test('nobody there: a reason that names no secret', async () => {
    const closed = await startFakeModelServer()
    await closed.close()
    const gone = talk(model(provider, { baseUrl: closed.url }))
    await expect(gone({ text: 'go' })).rejects.toThrow(/cannot be reached \(ECONNREFUSED\).*asked 3 times/)
  })

  test('the signal ends it at once, with its reason', async () => {
    replies({ hangs: 'I wi' })
    const controller = new AbortController()
    const asking = talk(model(provider))({ text: 'go' }, controller.signal)
    await expect.poll(() => server.requests.length).toBe(1)
    const before = server.abandoned
    controller.abort(new Error('enough'))
    await expect(asking).rejects.toThrow('enough')
    await expect.poll(() => server.abandoned).toBe(before + 1)
  })
})

describe('calls', () => {
  test('that name no tool or hold no JSON come as they are, for the domain to judge', async () => {
    replies(
      {
        calls: [
          { name: 'fly', input: { to: 'the moon' } },
          { name: 'click', input: '{"ref": "e1' },
        ],
      },
      { text: 'ok' },
    )
    const next = talk()
    const { calls } = await next({ text: 'go' })
    expect(calls.map(({ name, input }) => [name, input])).toEqual([
      ['fly', { to: 'the moon' }],
      ['click', undefined],
    ])
    const answers = calls.map(({ id, name }) => ({ callId: id, name, text: 'no' }))
    expect((await next({ answers })).text).toBe('ok')
  })
})

describe('prices', () => {
  const REPORTED = { text: 'x', usage: { input: 1_000_000, output: 500_000 } }

  test.each([
    ['gpt-4o', 'built in', {}, 7.5],
    ['gpt-4o-2024-11-20', 'by its name without the date', {}, 7.5],
    ['gpt-4o', 'the configuration comes first', { 'gpt-4o': { input: 1, output: 2 } }, 2],
    ['my-own', 'the configuration alone', { 'my-own': { input: 0, output: 2 } }, 1],
    ['my-own', 'unknown', {}, null],
    ['constructor', 'unknown', {}, null],
  ])('%s: %s', async (name, _, prices, usd) => {
    replies(REPORTED)
    const chat = model('openai-compatible', { model: name, prices })
    expect(chat.isPriced).toBe(usd !== null)
    expect((await talk(chat)({ text: 'go' })).cost).toEqual({ inputTokens: 1_000_000, outputTokens: 500_000, usd })
  })

  test('a vendor that does not tell its tokens: nothing is known of USD', async () => {
    replies({ text: 'x', usage: null })
    const cost = (await talk(model('openai-compatible', { model: 'gpt-4o' }))({ text: 'go' })).cost
    expect(cost).toEqual({ inputTokens: 0, outputTokens: 0, usd: null })
  })
})

test('what is told again is bounded, and the task always stays', async () => {
  server.script = ({ step }) => ({ text: `thought ${step}`, calls: [{ name: 'click', input: { ref: `e${step}` } }] })
  const next = talk(model(), 8000)
  let { calls } = await next({ text: 'THE TASK', view: 'VIEW 0' })
  for (let step = 1; step <= 60; step += 1) {
    const answers = calls.map(({ id, name }) => ({ callId: id, name, text: `ANSWER ${step} ${'x'.repeat(1000)}` }))
    ;({ calls } = await next({ answers, view: `VIEW ${step}.` }))
  }
  const reported = server.requests.at(-1)!.body
  expect(reported.length).toBeLessThan(14_000)
  expect(reported).toContain('THE TASK')
  expect(reported).toContain('VIEW 60.')
  expect(reported).not.toContain('VIEW 59.')
  expect(reported).toContain('ANSWER 60')
  expect(reported).not.toContain('ANSWER 1 ')
  expect(reported).toMatch(/\[\d+ earlier steps are not told again\.\]/)
  expect(reported).toContain('[shortened]')
})
