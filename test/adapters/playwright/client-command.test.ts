import { randomBytes } from 'node:crypto'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { encodeCommand } from '../../../src/adapters/playwright/cdp/connection/tenant.ts'
import { MESSAGE_LIMITS } from '../../../src/adapters/playwright/cdp/pipe/message-limits.ts'
import { readCommand } from '../../../src/adapters/playwright/relay/client-command.ts'

const MIB = 1024 * 1024

/** As the browser reads what a client wrote. */
function handedOn(message: string): { bytes: Buffer; command: object } {
  const command = readCommand(Buffer.from(message))
  if (!('method' in command)) throw new Error(command.message)
  const { method, params, texts, sessionId } = command
  const bytes = Buffer.concat(encodeCommand(7, { method, params, sessionId: sessionId ?? 'root', texts }))
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
    ['what looks like the name of a text', { expression: `" 0" ${'"a 1"'.repeat(200_000)}` }],
  ])('is handed on as it is: %s', (_, params) => {
    const { command } = handedOn(JSON.stringify({ id: 1, method: 'Runtime.evaluate', params, sessionId: 'page' }))
    expect(command).toEqual({ id: 7, method: 'Runtime.evaluate', params, sessionId: 'page' })
  })

  test('neither parsed nor serialized, however long its texts', () => {
    const parse = vi.spyOn(JSON, 'parse')
    const stringify = vi.spyOn(JSON, 'stringify')
    onTestFinished(() => void vi.restoreAllMocks())
    const message = Buffer.from(
      `{"id":1,"method":"Runtime.evaluate","params":{"expression":"${'x'.repeat(60 * MIB)}"}}`,
    )
    const command = readCommand(message)
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
    expect(readCommand(Buffer.from(withLiteral(literal)))).toMatchObject({ id: null, code: -32_700 })
  })

  test('is no JSON where a text or the message breaks off', () => {
    const whole = evaluate('x'.repeat(MIB))
    for (const end of [whole.length - 1, whole.length - 30, 600_000]) {
      expect(readCommand(Buffer.from(whole.slice(0, end)))).toMatchObject({ id: null, code: -32_700 })
    }
  })

  test('is judged by its real parameters where rules look at them', () => {
    const url = `data:text/html,${'x'.repeat(MIB)}`
    expect(readCommand(Buffer.from(JSON.stringify({ id: 1, method: 'Page.navigate', params: { url } })))).toMatchObject(
      {
        params: { url },
        texts: null,
      },
    )
    const far = { id: 1, method: 'Runtime.evaluate', params: {}, sessionId: 's'.repeat(MIB) }
    expect(readCommand(Buffer.from(JSON.stringify(far)))).toMatchObject({ sessionId: far.sessionId, texts: null })
  })

  test('with the name of a text that a client made up contains that name', () => {
    const expression = randomBytes(MIB).toString('hex')
    const guess = '00000000-0000-4000-8000-000000000000 0'
    expect(handedOn(evaluate(expression, { guess })).command).toMatchObject({ params: { expression, guess } })
  })
})

describe('a command that takes too long to read is refused, with its id', () => {
  const lists = (count: number) => `[${'[],'.repeat(count - 1)}[]]`
  const many = lists(MESSAGE_LIMITS.values / 2 + 10)
  const names = JSON.stringify(Object.fromEntries(Array.from({ length: 40_000 }, (_, i) => [`name number ${i}`, 1])))
  const filler = JSON.stringify(Array.from({ length: 9_000 }, () => 'y'.repeat(2_000)))

  test.each([
    ['many values', `{"id":3,"method":"Runtime.evaluate","params":{"a":${many}}}`, 3],
    ['many names', `{"id":3,"method":"Runtime.evaluate","params":{"a":${names}}}`, 3],
    ['many short texts', `{"id":3,"method":"Runtime.evaluate","params":{"a":${filler}}}`, 3],
    ['many empty texts', `{"id":3,"method":"Runtime.evaluate","params":{"a":[${'"",'.repeat(1_000_000)}1]}}`, 3],
    ['the id last', `{"method":"Runtime.evaluate","params":{"a":${many}},"id":4,"sessionId":"A1"}`, 4],
    ['no id where one is expected', `{"method":"Runtime.evaluate","id":5,"params":{"a":${many}}}`, null],
    [
      'a long text where rules look at it',
      JSON.stringify({ id: 6, method: 'Page.navigate', params: { url: 'x'.repeat(17 * MIB) } }),
      6,
    ],
  ])('%s', (_, message, id) => {
    expect(readCommand(Buffer.from(message))).toMatchObject({
      id,
      code: -32_600,
      message: expect.stringContaining('at most') as string,
    })
  })

  test('fewer are read', () => {
    const message = `{"id":3,"method":"Runtime.evaluate","params":{"a":${lists(MESSAGE_LIMITS.values / 2 - 10)}}}`
    expect(handedOn(message).command).toMatchObject({ method: 'Runtime.evaluate' })
  })
})
