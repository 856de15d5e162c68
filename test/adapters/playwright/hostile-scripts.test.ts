import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import type { BrowserSession } from '../../../src/ports/browser.ts'
import { PATIENCE } from '../../support/patience.ts'
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

test('a page that replaces what scripts are made of changes no result', async () => {
  await evaluate(`for (const owner of [Array, Object, Map, Promise, Function]) for (const name of Object.getOwnPropertyNames(owner.prototype)) {
    if (['constructor', '__proto__'].includes(name) || typeof Object.getOwnPropertyDescriptor(owner.prototype, name).value !== 'function') continue
    owner.prototype[name] = () => { throw new Error('replaced ' + name) }
  }
  Array.prototype[Symbol.iterator] = () => { throw new Error('replaced') }
  Object.prototype.toJSON = String.prototype.toJSON = () => 'forged'
  JSON.stringify = () => '"forged"'; JSON.parse = () => 'forged'; 1`)
  expect((await evaluate('({ a: [1, { b: "c" }, null], d: new Date(0) })')).result).toEqual({
    a: [1, { b: 'c' }, null],
    d: '1970-01-01T00:00:00.000Z',
  })
  expect((await evaluate('(given) => given', { arg: { x: ['y'] } })).result).toEqual({ x: ['y'] })
  expect((await take(session, { extract: { target: { css: 'h1' } } })).result).toBe('Sign in')
})

test('what stands in several places of a result is in each; what contains itself is a SCRIPT_ERROR', async () => {
  expect((await evaluate('const shared = { s: 1 }; [shared, { again: shared }]')).result).toEqual([
    { s: 1 },
    { again: { s: 1 } },
  ])
  expect((await evaluate('({ p: new Proxy({ a: 1 }, {}), u: new URL("http://x/") })')).result).toEqual({
    p: { a: 1 },
    u: 'http://x/',
  })
  expect((await evaluate('const self = []; self.push(self); self')).error?.code).toBe('SCRIPT_ERROR')
  // Twice as many values with each level.
  const doubled = 'let all = [1]; for (let i = 0; i < 60; i++) all = [all, all]; all'
  expect((await evaluate(doubled)).error?.code).toBe('SCRIPT_ERROR')
})

test('a script that waits for what never comes says so, and the page goes on', async () => {
  const { error } = await evaluate('new Promise(() => {})', { timeoutMs: 400 })
  expect(error).toMatchObject({ code: 'TIMEOUT', message: expect.stringMatching(/^The script .* 400 ms/) })
  expect((await evaluate('1 + 1')).result).toBe(2)
})

test('a script without an end is stopped, and the page goes on', async () => {
  for (const expression of ['for (;;);', '() => { for (;;); }', '({ get never() { for (;;); } })']) {
    const { error } = await evaluate(expression, { timeoutMs: 400 })
    expect(error).toMatchObject({ code: 'TIMEOUT', message: expect.stringContaining('stopped') })
    expect((await evaluate('1 + 1', { timeoutMs: PATIENCE.timeout })).result).toBe(2)
  }
})

test('a script of the page without an end: a step says that nothing answers, and a script of ours that waits in vain ends it', async () => {
  await evaluate('document.querySelector("#events").onclick = () => { for (;;); }; 1')
  const click = await take(session, { click: { target: { css: '#events' }, timeoutMs: 5_000 } })
  expect(click.error).toMatchObject({ code: 'TIMEOUT', message: expect.stringContaining('does not answer') })
  expect((await evaluate('1', { timeoutMs: 400 })).error?.code).toBe('TIMEOUT')
  expect((await evaluate('1 + 1', { timeoutMs: PATIENCE.timeout })).result).toBe(2)
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
  expect((await evaluate('1 + 1', { timeoutMs: PATIENCE.timeout })).result).toBe(2)
  const freeing = await take(session, { evaluate: { expression: '1', timeoutMs: 500 } }, { pageId: 'p2' })
  expect(freeing.error?.code).toBe('TIMEOUT')
  expect((await take(session, { evaluate: { expression: '2' } }, { pageId: 'p2' })).result).toBe(2)
  expect((await take(session, { closePage: { timeoutMs: PATIENCE.timeout } }, { pageId: 'p3' })).error).toBeNull()
})
