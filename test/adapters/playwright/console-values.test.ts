import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ARGUMENT_LIMITS, type ConsoleValue, type EntryData } from '../../../src/ports/log/log-entry.ts'
import type { BrowserSession } from '../../../src/ports/browser/browser.ts'
import { take } from '../../support/take-steps.ts'
import type { RecordingRecorder } from './recording-recorder.ts'
import { startTestPool, type TestPool } from './test-pool.ts'
import { DEFAULT_CAPTURE } from '../../../src/ports/browser/capture.ts'

type Line = EntryData['CONSOLE_MESSAGE']

let pool: TestPool
let session: BrowserSession
let recorder: RecordingRecorder

beforeAll(async () => {
  pool = await startTestPool({ warm: 0 })
  ;({ session, recorder } = await pool.start())
})

afterAll(async () => {
  await session.close(2_000)
  await pool.close()
})

const run = async (expression: string) => {
  const { error } = await take(session, { evaluate: { expression } })
  expect(error).toBeNull()
}

/** The console messages of a script. */
async function logged(script: string): Promise<Line[]> {
  const before = recorder.of('CONSOLE_MESSAGE').length
  await run(`{ ${script} }; 0`)
  return recorder.of('CONSOLE_MESSAGE').slice(before)
}

/** A script's console message once everything in it could be read: a busy machine reads less. */
async function whole(script: string): Promise<{ line: Line; values: ConsoleValue[] }> {
  let line: Line | undefined
  await expect
    .poll(async () => {
      line = (await logged(script)).at(-1)
      return line?.argumentsOmitted
    })
    .toBe(0)
  return { line: line!, values: line!.arguments as ConsoleValue[] }
}

const member = ({ properties = [] }: ConsoleValue, ...names: string[]): ConsoleValue | undefined => {
  const found = properties.find(({ name }) => name === names[0])
  return found && names.length > 1 ? member(found, ...names.slice(1)) : found
}

describe('arguments', () => {
  test('a single text is not kept twice, and primitives have their values', async () => {
    expect((await logged(`console.log('plain')`))[0]).toMatchObject({ text: 'plain', arguments: 'TEXT', method: 'LOG' })
    const [line] = await logged(`console.log('a', 1.5, true, null, undefined, -0, NaN, 10n, Symbol('s'))`)
    expect(line!.arguments).toEqual([
      { type: 'string', value: 'a' },
      { type: 'number', value: 1.5 },
      { type: 'boolean', value: true },
      { type: 'object', subtype: 'null', value: null },
      { type: 'undefined' },
      { type: 'number', description: '-0' },
      { type: 'number', description: 'NaN' },
      { type: 'bigint', description: '10n' },
      { type: 'symbol', description: 'Symbol(s)' },
    ])
  })

  test('members below the first level are read, and say so', async () => {
    const { line, values } = await whole(`console.log({ top: 1, user: { name: 'Ann', roles: [{ id: 7 }] } })`)
    expect(member(values[0]!, 'top')).toEqual({ name: 'top', type: 'number', value: 1 })
    expect(member(values[0]!, 'user')).toMatchObject({ type: 'object', later: true })
    expect(member(values[0]!, 'user', 'name')?.value).toBe('Ann')
    expect(member(values[0]!, 'user', 'roles', '0', 'id')?.value).toBe(7)
    expect(line.text).toBe('{top: 1, user: {name: "Ann", roles: [{id: 7}]}}')
  })

  test('more members than the browser gives at once, long texts, and what the page changed since', async () => {
    const text = `${'x'.repeat(80)}MIDDLE${'y'.repeat(80)}`
    const { values } = await whole(
      `const o = { a: 1, text: '${text}', c: 3, d: 4, e: 5, f: 6, g: 'seventh' }; console.log(o); o.a = 'changed'`,
    )
    expect(member(values[0]!, 'a')?.value).toBe(1)
    expect(member(values[0]!, 'text')?.value).toBe(text)
    expect(member(values[0]!, 'g')).toEqual({ name: 'g', type: 'string', value: 'seventh', later: true })
  })

  test('Map, Set, typed arrays and elements', async () => {
    const { values } = await whole(`console.log(
      new Map([['k', { deep: { er: 1 } }], [{ id: 2 }, 2]]), new Set([1, [2]]), new Uint8Array([1, 2]),
      Object.assign(document.createElement('p'), { id: 'x' }), new Date(0), /re/g)`)
    const [map, set, bytes, node, date, pattern] = values
    expect(map).toMatchObject({ subtype: 'map', length: 2 })
    expect(map!.entries![0]!.key).toMatchObject({ value: 'k' })
    expect(member(map!.entries![0]!.value, 'deep', 'er')?.value).toBe(1)
    expect(member(map!.entries![1]!.key!, 'id')?.value).toBe(2)
    expect(set!.entries!.map(({ value }) => value)).toMatchObject([{ value: 1 }, { subtype: 'array', length: 1 }])
    expect(bytes!.properties!.map(({ value }) => value)).toEqual([1, 2])
    expect(node).toEqual({ type: 'object', subtype: 'node', className: 'HTMLParagraphElement', description: 'p#x' })
    expect(date).toMatchObject({ subtype: 'date', description: expect.stringContaining('1970') })
    expect(pattern).toMatchObject({ subtype: 'regexp', description: '/re/g' })
  })

  test('nothing of the page runs: no getter, no trap, no method of its own', async () => {
    await run(`window.ran = []; 0`)
    const [line] = await logged(`console.log({
      get own() { ran.push('getter'); return 1 }, a: 1, b: 2, c: 3, d: 4, e: 5, f: { g: { h: 1 } },
      toJSON() { ran.push('toJSON') }, toString() { ran.push('toString') },
    }, new Proxy({}, { ownKeys() { ran.push('ownKeys'); return [] }, get() { ran.push('get') } }))`)
    expect(member((line!.arguments as ConsoleValue[])[0]!, 'own')).toMatchObject({ type: 'accessor' })
    expect(line!.text).toContain('own: (…)')
    expect((await take(session, { evaluate: { expression: 'ran' } })).result).toEqual([])
  })

  test('what one line may take is bounded, and what is missing is counted', async () => {
    const [line] = await logged(
      `console.log(Array.from({ length: 1000 }, (_, i) => 'é'.repeat(90) + i), 'x'.repeat(20000))`,
    )
    const json = JSON.stringify(line!.arguments)
    expect(Buffer.byteLength(json)).toBeLessThanOrEqual(ARGUMENT_LIMITS.bytes)
    expect(line!.argumentsOmitted).toBeGreaterThan(0)
    const [list] = line!.arguments as ConsoleValue[]
    expect(list).toMatchObject({ subtype: 'array', length: 1000, truncated: true })
  })

  test('objects with very many members are not read: their page would stand still', async () => {
    const [line] = await logged(`const o = {}; for (let i = 0; i < 20000; i++) o['k' + i] = { i }; console.log(o)`)
    const [value] = line!.arguments as ConsoleValue[]
    expect(value!.properties!.length).toBeLessThanOrEqual(5)
    expect(value).toMatchObject({ truncated: true })
  })

  test('lines stay in their order, whatever is read of some of them', async () => {
    const lines = await logged(
      `for (let i = 0; i < 40; i++) { console.log('plain ' + i); console.log({ i, deep: { er: { i } } }) }`,
    )
    expect(lines.map(({ text }) => /\d+/.exec(text)?.[0])).toEqual(
      Array.from({ length: 80 }, (_, index) => `${index >> 1}`),
    )
  })

  test('without them lines have their text alone', async () => {
    const other = await pool.start({ capture: { ...DEFAULT_CAPTURE, consoleArguments: false } })
    try {
      await take(other.session, { evaluate: { expression: `console.log({ a: { b: 1 } }), console.log('text'), 0` } })
      expect(other.recorder.of('CONSOLE_MESSAGE')).toMatchObject([
        { text: '{a: {…}}', arguments: null },
        { text: 'text', arguments: null },
      ])
    } finally {
      await other.session.close(2_000)
    }
  })
})

describe('errors', () => {
  test('causes, errors within and members of their own, logged', async () => {
    const { line, values } = await whole(`console.error('failed', Object.assign(
      new Error('outer', { cause: new TypeError('inner', { cause: { reason: 'quota' } }) }), { code: 'E_HTTP', status: 503 }))`)
    const error = values[1]!
    expect(error).toMatchObject({ subtype: 'error', description: expect.stringMatching(/^Error: outer\n {4}at /) })
    expect(member(error, 'code')?.value).toBe('E_HTTP')
    expect(member(error, 'cause')).toMatchObject({ subtype: 'error', className: 'TypeError' })
    expect(member(error, 'cause', 'cause', 'reason')?.value).toBe('quota')
    expect(line.text).toMatch(
      /^failed Error: outer\n {4}at .* \{code: "E_HTTP", status: 503\}\nCaused by: TypeError: inner\n/s,
    )
    expect(line.text).toContain('Caused by: {reason: "quota"}')
  })

  test('causes and errors within, uncaught', async () => {
    let line: Line | undefined
    await expect
      .poll(async () => {
        await run(
          `setTimeout(() => { throw new AggregateError([new Error('A down', { cause: new Error('A asleep') }), 'B down'], 'all down') }); 0`,
        )
        line = recorder.of('CONSOLE_MESSAGE').findLast(({ text }) => text.startsWith('Uncaught AggregateError'))
        return line?.argumentsOmitted
      })
      .toBe(0)
    expect(line).toMatchObject({ source: 'EXCEPTION', method: null, exceptionId: expect.any(Number) })
    expect(line!.text.split('\n')).toEqual([
      'Uncaught AggregateError: all down',
      '[0] Error: A down',
      'Caused by: Error: A asleep',
      '[1] "B down"',
    ])
    expect(line!.stack).toMatch(/^AggregateError: all down\n {4}at .*\n\[0\] Error: A down\n {4}at /s)
  })

  test('functions that wait for others are in the stack', async () => {
    await run(
      `{ async function inner() { await null; throw new Error('late') }; async function outer() { await inner() }; outer() }; 0`,
    )
    const thrown = () => recorder.of('CONSOLE_MESSAGE').find(({ text }) => text === 'Uncaught (in promise) Error: late')
    await expect.poll(thrown).toBeDefined()
    expect(thrown()!.stack).toMatch(/at inner .*\n {4}at async outer /s)
  })

  test('a rejection that gets a handler later is told by an entry of its own', async () => {
    await run(`window.rejected = Promise.reject(new Error('handled later')); 0`)
    const thrown = () => recorder.of('CONSOLE_MESSAGE').find(({ text }) => text.endsWith('Error: handled later'))
    await expect.poll(thrown).toBeDefined()
    expect(recorder.of('EXCEPTION_HANDLED')).toEqual([])
    await run(`rejected.catch(() => 0); 0`)
    await expect.poll(() => recorder.of('EXCEPTION_HANDLED')).toHaveLength(1)
    expect(recorder.of('EXCEPTION_HANDLED')[0]).toMatchObject({ exceptionId: thrown()!.exceptionId, pageId: 'p1' })
  })
})

describe('methods', () => {
  test('groups indent, and what closes them or clears the console writes nothing', async () => {
    const lines =
      await logged(`console.group('outer'); console.log('in'); console.groupCollapsed(); console.info('deep');
      console.groupEnd(); console.groupEnd(); console.groupEnd(); console.log('out'); console.group('left open'); console.clear();
      console.log('cleared')`)
    expect(lines.map(({ method, text, groupDepth }) => [method, text, groupDepth])).toEqual([
      ['GROUP', 'outer', 0],
      ['LOG', 'in', 1],
      ['GROUP_COLLAPSED', 'console.groupCollapsed', 1],
      ['INFO', 'deep', 2],
      ['LOG', 'out', 0],
      ['GROUP', 'left open', 0],
      ['LOG', 'cleared', 0],
    ])
  })

  test('a table has aligned rows, and its data in the arguments', async () => {
    const [line] = await logged(`console.table([{ name: 'Ann', age: 7 }, { name: 'Bo' }])`)
    expect(line!.text.split('\n')).toEqual(['(index) | name | age', '0       | Ann  | 7', '1       | Bo   |'])
    expect(line!.method).toBe('TABLE')
    expect(member((line!.arguments as ConsoleValue[])[0]!, '0', 'name')?.value).toBe('Ann')
  })

  test('an assertion without a message, counters and timers', async () => {
    const lines =
      await logged(`console.assert(false); console.assert(true); console.assert(false, 'why', { a: 1 }); console.count('c');
      console.time('t'); console.timeEnd('t'); console.countReset('none')`)
    expect(lines.map(({ method }) => method)).toEqual(['ASSERT', 'ASSERT', 'COUNT', 'TIME_END', 'WARN'])
    expect(lines.slice(0, 3).map(({ text }) => text)).toEqual([
      'Assertion failed',
      'Assertion failed: why {a: 1}',
      'c: 1',
    ])
  })
  test('entries of a large Map that are read after the line say so', async () => {
    const { values } = await whole(
      `console.log(new Map(Array.from({ length: 8 }, (_, index) => [index, 'v' + index])))`,
    )
    const { key, value } = values[0]!.entries![7]!
    expect([key, value]).toMatchObject([
      { value: 7, later: true },
      { value: 'v7', later: true },
    ])
  })

  test('directives convert their values as in the browser', async () => {
    const [line] = await logged(`console.log('%d|%i|%f|%s|%%|%x|%d', '4.7x', -4.7, '1.50z', 'text', 9.9)`)
    expect(line!.text).toBe('4|-4|1.5|text|%|%x|9')
  })

  test('a format is applied to what is shown of a text: directives beyond it are counted as they are', async () => {
    const [line] = await logged(`console.log('%c%s'.repeat(2) + '%%'.repeat(32_766) + '%s%%', '', 'a', '', 'b', 'c')`)
    expect(line!.text).toBe(`ab${'%'.repeat(32_766)}`)
    expect(line!.truncated).toBe('%s%% c'.length)
    const [flood] = await logged(`console.log('%c%s'.repeat(3e6), 'color: red', 'text')`)
    expect(flood!.text.slice(0, 12)).toBe('text%c%s%c%s')
    expect(flood!.truncated).toBe(4 * 3e6 - 32_768)
  })
})
