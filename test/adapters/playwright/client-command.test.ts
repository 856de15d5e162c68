import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { encodeCommand } from '../../../src/adapters/playwright/cdp/connection/tenant.ts'
import {
  COMMAND_LIMITS,
  LARGE_BYTES,
  LargeCommand,
  readCommand,
} from '../../../src/adapters/playwright/relay/client-command.ts'

const MIB = 1024 * 1024

/** What a client wrote, in parts of this size. */
function read(message: string | Buffer, partBytes = Number.POSITIVE_INFINITY) {
  const bytes = Buffer.from(message)
  if (bytes.length <= LARGE_BYTES) return readCommand(bytes)
  const parts: Buffer[] = []
  for (let at = 0; at < bytes.length; at += partBytes) parts.push(bytes.subarray(at, at + partBytes))
  const large = new LargeCommand(parts)
  while (large.read());
  return large.command()
}

/** As the browser reads what a client wrote. */
function handedOn(message: string, partBytes?: number): { bytes: Buffer; command: object } {
  const command = read(message, partBytes)
  if (!('method' in command)) throw new Error(command.message)
  const { method, params, body, sessionId } = command
  const bytes = Buffer.concat(encodeCommand(7, { method, params, sessionId: sessionId ?? 'root', body }))
  expect(bytes.indexOf(0)).toBe(bytes.length - 1)
  return { bytes, command: JSON.parse(bytes.subarray(0, -1).toString()) as object }
}

const evaluate = (expression: string, more: object = {}) =>
  JSON.stringify({ id: 1, method: 'Runtime.evaluate', params: { expression, ...more }, sessionId: 'page' })

/** A message whose text is written as it is given, wrong or not. */
const withLiteral = (literal: string) =>
  `{"id":1,"method":"Runtime.evaluate","params":{"expression":"${'x'.repeat(MIB)}${literal}"}}`

describe('a large command', () => {
  test.each([
    ['one long text', { expression: 'x'.repeat(3 * MIB) }],
    ['escapes of every kind', { expression: '"\\/\b\f\n\r\t\u0001\u2028é€😀\ud800'.repeat(100_000) }],
    ['many texts, long and short', { list: Array.from({ length: 500 }, (_, i) => 'y'.repeat(i * 20)), number: 1e20 }],
    ['a long name of a member', { ['n'.repeat(MIB)]: 1, expression: 'z' }],
    ['lists and objects', { a: [{ b: [[], {}, [{}], null, true, false] }], filler: 'x'.repeat(MIB), c: -1.5e-3 }],
  ])('is handed on as it is: %s', (_, params) => {
    const message = JSON.stringify({ id: 1, method: 'Runtime.evaluate', params, sessionId: 'page' })
    for (const partBytes of [Number.POSITIVE_INFINITY, 4_099]) {
      const { command } = handedOn(message, partBytes)
      expect(command).toEqual({ id: 7, method: 'Runtime.evaluate', params, sessionId: 'page' })
    }
  })

  test('is read the same wherever it is divided', () => {
    const head =
      '{ "id" :1,\n"method":"Runtime.evaluate","params":{"contextId":12,"\\u0075rl":"\\u00e9","a":[true,-1.5e3]},'
    const bytes = Buffer.from(`${head}"more":"${'x'.repeat(LARGE_BYTES)}"}`)
    for (let at = 1; at < head.length; at += 1) {
      const large = new LargeCommand([bytes.subarray(0, at), bytes.subarray(at)])
      while (large.read());
      expect(large.command()).toMatchObject({ id: 1, params: { contextId: 12, url: 'é' } })
    }
  })

  test('neither parsed nor serialized, however long its texts', () => {
    const parse = vi.spyOn(JSON, 'parse')
    const stringify = vi.spyOn(JSON, 'stringify')
    onTestFinished(() => void vi.restoreAllMocks())
    const message = Buffer.from(
      `{"id":1,"method":"Runtime.evaluate","params":{"expression":"${'x'.repeat(60 * MIB)}"}}`,
    )
    const command = read(message)
    if (!('method' in command)) throw new Error(command.message)
    const pieces = encodeCommand(7, { ...command, sessionId: 'root' })
    expect(pieces.reduce((sum, { length }) => sum + length, 0)).toBeGreaterThan(60 * MIB)
    for (const [text] of parse.mock.calls) expect(text.length).toBeLessThan(1_000)
    for (const { value } of stringify.mock.results) expect((value as string).length).toBeLessThan(1_000)
  })

  test.each([
    ['a NUL, which would end the message for the browser', '\0{\\"id\\":1}'],
    ['another control character', '\n'],
    ['an escape that there is not', '\\x'],
    ['an escape that breaks off', '\\u12g4'],
  ])('is no JSON with %s', (_, literal) => {
    expect(read(withLiteral(literal))).toMatchObject({ id: null, code: -32_700 })
  })

  test.each([
    ['a NUL between members', '"a":1,\0"b":2'],
    ['a comment', '"a":1,/* */"b":2'],
    ['a name without quotation marks', 'a:1'],
    ['a comma too many', '"a":[1,]'],
    ['a comma at the end', '"a":1,'],
    ['no value', '"a":'],
    ['two values', '"a":1 2'],
    ['a wrong bracket', '"a":[}'],
    ['an odd number', '"a":01'],
    ['a number that breaks off', '"a":1.'],
    ['a number that is none', '"a":1e400'],
    ['an odd word', '"a":nul'],
    ['a second message', '"a":1}}{"id":2'],
    ['a text in other marks', "'a':1"],
  ])('is no JSON with %s', (_, member) => {
    const message = `{"id":1,"method":"Runtime.evaluate","params":{"x":"${'x'.repeat(MIB)}",${member}}}`
    expect(read(message)).toMatchObject({ id: null, code: -32_700 })
  })

  test('is no JSON where a text or the message breaks off', () => {
    const whole = evaluate('x'.repeat(MIB))
    for (const end of [whole.length - 1, whole.length - 30, 600_000]) {
      expect(read(whole.slice(0, end))).toMatchObject({ id: null, code: -32_700 })
    }
  })

  test('is judged by its real parameters where rules look at them', () => {
    const url = `data:text/html,${'x'.repeat(MIB)}`
    expect(read(JSON.stringify({ id: 1, method: 'Page.navigate', params: { url } }))).toMatchObject({
      params: { url },
      body: null,
    })
  })
})

/** Each is a way to have rules see something else than the browser does. */
describe('rules see what the browser sees', () => {
  const filler = 'x'.repeat(MIB)
  const raw = (members: string) => read(`{"id":1,"method":"Runtime.evaluate",${members}}`)

  test.each([
    ['before megabytes', `"params":{"contextId":5,"expression":"${filler}"}`],
    ['after them', `"params":{"expression":"${filler}","contextId":5}`],
    ['with an escaped name', `"params":{"expression":"${filler}","\\u0063ontext\\u0049d":5}`],
    ['with spaces', `"params" : { "expression" : "${filler}" , "contextId" : 5 }`],
    ['in the last of several', `"params":{"contextId":4},"params":{"expression":"${filler}","contextId":5}`],
    ['with the parameters under an escaped name', `"\\u0070arams":{"expression":"${filler}","contextId":5}`],
    ['before the rest of the command', `"params":{"contextId":5,"x":"${filler}"},"id":1,"sessionId":null`],
  ])('a world %s', (_, members) => {
    expect(raw(members)).toMatchObject({ params: { contextId: 5 } })
  })

  test('nothing of the parameters that were given before others', () => {
    const command = raw(`"params":{"contextId":4},"params":{"expression":"${filler}"}`)
    expect(command).toMatchObject({ params: {} })
    expect((command as { params: object }).params).toEqual({})
  })

  test('what is named below is not theirs', () => {
    const command = raw(`"params":{"expression":"${filler}","a":{"contextId":5},"b":["contextId",5]},"contextId":5`)
    expect((command as { params: object }).params).toEqual({})
  })

  test.each([
    ['twice', '"contextId":5,"contextId":6'],
    ['twice, once escaped', '"contextId":5,"context\\u0049d":6'],
  ])('a world that is named %s is refused', (_, members) => {
    expect(raw(`"params":{${members},"expression":"${filler}"}`)).toMatchObject({ id: 1, code: -32_600 })
  })

  test('the method that counts is the last', () => {
    expect(raw(`"params":{"expression":"${filler}"},"method":"Browser.close"`)).toMatchObject({
      method: 'Browser.close',
      body: null,
    })
    expect(raw(`"params":{"expression":"${filler}"},"\\u006dethod":"Browser.close"`)).toMatchObject({
      method: 'Browser.close',
    })
  })

  test('a URL of a rewritten request is seen, or too long to be handed on', () => {
    const ask = (url: string) =>
      JSON.stringify({ id: 1, method: 'Fetch.continueRequest', params: { requestId: 'r', url, postData: filler } })
    expect(read(ask('file:///etc/passwd'))).toMatchObject({ params: { requestId: 'r', url: 'file:///etc/passwd' } })
    const long = `file:///etc/passwd?${'y'.repeat(100_000)}`
    expect(read(ask(long))).toMatchObject({ params: { url: long, postData: filler }, body: null })
  })

  test('the message is an object, and so are its parameters', () => {
    for (const params of [`["${filler}"]`, `"${filler}"`, `null,"x":"${filler}"`]) {
      expect(raw(`"params":${params}`)).toMatchObject({ id: 1, code: -32_600 })
    }
    expect(read(`["id",1,"method","Runtime.evaluate","${filler}"]`)).toMatchObject({ id: null, code: -32_600 })
  })

  test.each([
    ['a session', { sessionId: filler }, -32_001],
    ['a method', { method: filler }, -32_601],
  ])('%s that is too long to be one does not exist', (_, members, code) => {
    const message = { id: 1, method: 'Runtime.evaluate', params: {}, ...members }
    expect(read(JSON.stringify(message))).toMatchObject({ id: 1, code })
  })

  test('levels are counted', () => {
    const nested = (levels: number) => `"params":${'{"a":'.repeat(levels)}"${filler}"${'}'.repeat(levels)}`
    expect(raw(nested(298))).toMatchObject({ method: 'Runtime.evaluate' })
    expect(raw(nested(299))).toMatchObject({ id: 1, message: expect.stringContaining('298 levels') as string })
  })
})

describe('a command that takes too long to read is refused, with its id', () => {
  const lists = (count: number) => `[${'[],'.repeat(count - 1)}[]]`
  const many = lists(COMMAND_LIMITS.values / 2 + 10)
  const names = JSON.stringify(Object.fromEntries(Array.from({ length: 40_000 }, (_, i) => [`name number ${i}`, 1])))
  const long = 'x'.repeat(MIB)
  const filler = JSON.stringify(Array.from({ length: 9_000 }, () => 'y'.repeat(2_000)))

  test.each([
    ['many values', `{"id":3,"method":"Runtime.evaluate","params":{"a":${many}}}`, 3],
    ['many names', `{"id":3,"method":"Page.navigate","params":{"a":${names}}}`, 3],
    [
      'many values that are parsed',
      `{"id":3,"method":"Page.navigate","params":{"a":${lists(60_000)},"b":"${long}"}}`,
      3,
    ],
    ['many short texts that are parsed', `{"id":3,"method":"Page.navigate","params":{"a":${filler}}}`, 3],
    ['many empty texts', `{"id":3,"method":"Runtime.evaluate","params":{"a":[${'"",'.repeat(1_000_000)}1]}}`, 3],
    ['the id last', `{"method":"Runtime.evaluate","params":{"a":${many}},"id":4,"sessionId":"A1"}`, 4],
    ['the id before them', `{"method":"Runtime.evaluate","id":5,"params":{"a":${many}}}`, 5],
    ['no id where one is expected', `{"method":"Runtime.evaluate","params":{"a":${many}},"id":5,"x":[]}`, null],
    [
      'a long text where rules look at it',
      JSON.stringify({ id: 6, method: 'Page.navigate', params: { url: 'x'.repeat(5 * MIB) } }),
      6,
    ],
  ])('%s', (_, message, id) => {
    expect(read(message)).toMatchObject({
      id,
      code: -32_600,
      message: expect.stringContaining('at most') as string,
    })
  })

  test('fewer are read', () => {
    const message = `{"id":3,"method":"Runtime.evaluate","params":{"a":${lists(COMMAND_LIMITS.values / 2 - 10)}}}`
    expect(handedOn(message).command).toMatchObject({ method: 'Runtime.evaluate' })
  })
})
