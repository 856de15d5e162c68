import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import type { BrowserSession } from '../../../src/ports/browser/browser.ts'
import { WAIT_LIMITS } from '../../support/time-limits.ts'
import { startActionPages, type ActionSitePages } from '../../support/site-actions.ts'
import { take } from '../../support/take-steps.ts'
import { startTestPool, type TestPool } from './test-pool.ts'

let testPool: TestPool
let site: ActionSitePages
let session: BrowserSession

beforeAll(async () => {
  site = await startActionPages()
  testPool = await startTestPool({ warm: 0 })
})

afterAll(async () => {
  await testPool.close()
  await site.close()
})

beforeEach(async () => {
  ;({ session } = await testPool.start())
  await take(session, { navigate: { url: `${site.url}/form` } })
})

afterEach(async () => {
  await session.close(1_000)
})

const evaluate = (expression: string, more: Record<string, unknown> = {}) =>
  take(session, { evaluate: { expression, ...more } })

const nested = (levels: number) => `(() => { let a = 1; for (let i = 0; i < ${levels}; i++) a = [a]; return a })()`

test('what nests deeper than anyone can write down is a SCRIPT_ERROR', async () => {
  expect((await evaluate(nested(100))).error).toBeNull()
  for (const levels of [101, 90_000]) {
    const { error } = await evaluate(nested(levels))
    expect(error).toMatchObject({ code: 'SCRIPT_ERROR', message: expect.stringContaining('100 levels') })
  }
})

/** Each replaces what some page may. */
const REPLACEMENTS = [
  'Object.prototype.toJSON = () => "forged"',
  'Array.prototype.toJSON = () => "forged"',
  'Map.prototype.toJSON = Set.prototype.toJSON = Error.prototype.toJSON = () => "forged"',
  'Date.prototype.toJSON = Date.prototype.toISOString = Date.prototype.valueOf = () => "forged"',
  'JSON.stringify = () => \'"forged"\'; JSON.parse = () => "forged"',
  'Object.prototype.toString = Object.prototype.hasOwnProperty = () => { throw new Error("replaced") }',
  'Object.keys = Object.entries = Object.getOwnPropertyNames = () => ["forged"]; Array.isArray = (one) => one instanceof Map',
  'Function.prototype.call = Function.prototype.apply = Function.prototype.bind = () => { throw new Error("replaced") }',
  'Promise.prototype.then = Promise.prototype.catch = () => { throw new Error("replaced") }; Promise.resolve = () => "forged"',
  'for (const name of ["get", "set", "has", "add", "forEach", "entries", "keys", "values"]) Map.prototype[name] = Set.prototype[name] = () => { throw new Error("replaced") }',
  'for (const name of ["map", "push", "forEach", "slice", "join", "includes", "concat"]) Array.prototype[name] = () => { throw new Error("replaced") }',
  'for (const name of ["replace", "charCodeAt", "slice", "toString", "valueOf"]) String.prototype[name] = Number.prototype[name] = () => { throw new Error("replaced") }',
  'Array.prototype[Symbol.iterator] = Map.prototype[Symbol.iterator] = () => { throw new Error("replaced") }',
  'window.Promise = window.Symbol = window.WeakMap = window.Reflect = window.Proxy = window.eval = undefined',
  'window.Map = window.Set = window.Date = window.Error = window.Array = window.Object = window.JSON = undefined',
]

/** Run on a clean page and on one with replacements. */
const RESULTS: readonly [expression: string, more?: Record<string, unknown>][] = [
  ['({ a: [1, { b: "c\\n\\"\\\\\\u2028\\u0001" }, null], n: -0, e: 1e21, t: true, u: undefined, f() {}, nan: NaN })'],
  ['({ d: made.date, m: made.map, s: made.set, e: made.error, r: /x/, big: 1n, t: made.bytes, sparse: [, 1] })'],
  ['(given) => [given, given.x]', { arg: { x: ['y'], deep: { z: null } } }],
  ['(async () => [await 1])()'],
  ['async (given) => ({ given })', { arg: 7 }],
  ['(element, given) => [element.id, given]', { target: { css: '#text' }, arg: 7 }],
  ['document.querySelectorAll("#text")'],
  ['({ brings: { toJSON: (name) => "its own " + name }, made: made.own, proxy: made.proxy, url: made.url })'],
  ['"a text"'],
]
const MADE = `window.made = { date: new Date(0), map: new Map([[1, 2]]), set: new Set([1]), error: new Error("no"), bytes: new Uint8Array([1, 2]),
  own: new (class { toJSON() { return [1] } })(), proxy: new Proxy([1, { a: 2 }], {}), url: new URL("http://x/") }; 1`

test('a page that replaces what scripts are made of changes no result', async () => {
  const all = async () => {
    const outcomes = []
    for (const [expression, more] of RESULTS) {
      const { error, result } = await evaluate(expression, more)
      outcomes.push({ expression, error, result })
    }
    return outcomes
  }
  await evaluate(MADE)
  const clean = await all()
  expect(clean.map(({ error }) => error)).toEqual(clean.map(() => null))
  expect(clean.slice(0, 3).map(({ result }) => result)).toEqual([
    { a: [1, { b: 'c\n"\\\u2028\u0001' }, null], n: 0, e: 1e21, t: true, nan: null },
    { d: '1970-01-01T00:00:00.000Z', m: {}, s: {}, e: {}, r: {}, big: null, t: { 0: 1, 1: 2 }, sparse: [null, 1] },
    [{ x: ['y'], deep: { z: null } }, ['y']],
  ])
  expect(clean.at(-2)!.result).toEqual({ brings: 'its own brings', made: [1], proxy: [1, { a: 2 }], url: 'http://x/' })
  for (const replacement of REPLACEMENTS) {
    await take(session, { navigate: { url: `${site.url}/form` } })
    await evaluate(MADE)
    expect((await evaluate(`${replacement}; 1`)).error).toBeNull()
    expect({ replacement, all: await all() }).toEqual({ replacement, all: clean })
  }
  await take(session, { navigate: { url: `${site.url}/form` } })
  await evaluate(MADE)
  // A page that has put a toJSON of its own into dates and hides their class is beyond knowing.
  for (const replacement of REPLACEMENTS.filter((one) => !one.startsWith('window.'))) {
    expect((await evaluate(`${replacement}; 1`)).error).toBeNull()
  }
  expect(await all()).toEqual(clean)
  expect((await take(session, { extract: { target: { css: 'h1' } } })).result).toBe('Sign in')
  // A page that is only slow to answer is told to have been stopped.
  await expect
    .poll(async () => (await evaluate('new ((async () => {})().constructor)(() => {})', { timeoutMs: 2_000 })).error)
    .toMatchObject({ code: 'TIMEOUT', message: expect.stringContaining('did not come') })
})

test('what stands in several places of a result is in each; what contains itself is a SCRIPT_ERROR', async () => {
  expect((await evaluate('const shared = { s: 1 }; [shared, { again: shared }]')).result).toEqual([
    { s: 1 },
    { again: { s: 1 } },
  ])
  expect((await evaluate('const self = []; self.push(self); self')).error).toMatchObject({
    code: 'SCRIPT_ERROR',
    message: expect.stringContaining('itself'),
  })
  // Twice as many values with each level.
  const doubled = 'let all = [1]; for (let i = 0; i < 60; i++) all = [all, all]; all'
  expect((await evaluate(doubled)).error?.code).toBe('SCRIPT_ERROR')
})

test('a script that waits for what never comes says so, and the page goes on', async () => {
  const { error } = await evaluate('new Promise(() => {})', { timeoutMs: 2_000 })
  expect(error).toMatchObject({ code: 'TIMEOUT', message: expect.stringMatching(/^The script .* 2000 ms/) })
  expect((await evaluate('1 + 1')).result).toBe(2)
})

test('a script without an end is stopped, and the page goes on', async () => {
  for (const expression of ['for (;;);', '() => { for (;;); }', '({ toJSON() { for (;;); } })']) {
    const { error } = await evaluate(expression, { timeoutMs: 2_000 })
    expect(error).toMatchObject({ code: 'TIMEOUT', message: expect.stringContaining('stopped') })
    expect((await evaluate('1 + 1', { timeoutMs: WAIT_LIMITS.timeout })).result).toBe(2)
  }
})

test('a script of the page without an end: a step says that nothing answers, and a script of ours that waits in vain ends it', async () => {
  await evaluate('document.querySelector("#events").onclick = () => { for (;;); }; 1')
  const click = await take(session, { click: { target: { css: '#events' }, timeoutMs: 5_000 } })
  expect(click.error).toMatchObject({ code: 'TIMEOUT', message: expect.stringContaining('does not answer') })
  expect((await evaluate('1', { timeoutMs: 400 })).error?.code).toBe('TIMEOUT')
  expect((await evaluate('1 + 1', { timeoutMs: WAIT_LIMITS.timeout })).result).toBe(2)
})

test('a page that is busy when a step ends in vain, and answers a moment later, does not hang', async () => {
  // It begins within the step, and ends after it.
  const work =
    'setTimeout(() => { const until = performance.now() + 4000; while (performance.now() < until); }, 3000), 1'
  await evaluate(work)
  const click = await take(session, { click: { target: { css: '#missing' }, timeoutMs: 5_000 } })
  expect(click.error).toMatchObject({ code: 'NOT_FOUND' })
})

test('a page that is busy when the time of a script is up, and answers later, is not interrupted', async () => {
  const work =
    'setTimeout(() => { const until = performance.now() + 1500; while (performance.now() < until); window.worked = true }, 300)'
  const { error } = await evaluate(`${work}; new Promise(() => {})`, { timeoutMs: 500 })
  expect(error).toMatchObject({ code: 'TIMEOUT', message: expect.stringContaining('did not come') })
  await expect.poll(async () => (await evaluate('window.worked')).result).toBe(true)
})

test('a script that a dialog holds up is not ended by its deadline', async () => {
  const asking = await evaluate('confirm("Sure?"); for (let i = 0; i < 1e7; i++); window.ended = true', {
    timeoutMs: 2_000,
  })
  expect(asking).toMatchObject({ error: null, details: { dialog: { message: 'Sure?' } } })
  // Beyond the deadline of the script.
  await take(session, { openPage: {} })
  expect((await take(session, { wait: { timeMs: 2_500 } }, { pageId: 'p2' })).error).toBeNull()
  expect((await take(session, { dialog: { accept: true } })).details).toMatchObject({ dialog: { message: 'Sure?' } })
  await expect.poll(async () => (await evaluate('window.ended')).result).toBe(true)
})

test('a popup that hangs from its beginning holds up nobody else, and can be freed or closed', async () => {
  await evaluate('window.open("/hung", "", "noopener"), window.open("/hung", "", "noopener"), 1')
  await expect.poll(() => session.pages().filter(({ url }) => url.endsWith('/hung')).length).toBe(2)
  expect((await evaluate('1 + 1', { timeoutMs: WAIT_LIMITS.timeout })).result).toBe(2)
  const freeing = await take(session, { evaluate: { expression: '1', timeoutMs: 500 } }, { pageId: 'p2' })
  expect(freeing.error?.code).toBe('TIMEOUT')
  expect((await take(session, { evaluate: { expression: '2' } }, { pageId: 'p2' })).result).toBe(2)
  expect((await take(session, { closePage: { timeoutMs: WAIT_LIMITS.timeout } }, { pageId: 'p3' })).error).toBeNull()
})
