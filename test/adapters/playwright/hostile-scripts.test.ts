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

test('a page that writes JSON in its own way spoils its results, and nothing else', async () => {
  for (const own of ['"no JSON"', '5', '{}']) {
    await evaluate(`JSON.stringify = () => (${own}); 1`)
    expect((await evaluate('({ a: 1 })')).error?.code).toBe('SCRIPT_ERROR')
  }
  expect((await take(session, { extract: { target: { css: 'h1' } } })).result).toBe('Sign in')
})

test('a script that waits for what never comes says so, and the page goes on', async () => {
  const { error } = await evaluate('new Promise(() => {})', { timeoutMs: 400 })
  expect(error).toMatchObject({ code: 'TIMEOUT', message: expect.stringMatching(/^The script .* 400 ms/) })
  expect((await evaluate('1 + 1')).result).toBe(2)
})

test('a script without an end is stopped, and the page goes on', async () => {
  for (const expression of ['for (;;);', '() => { for (;;); }', '({ toJSON() { for (;;); } })']) {
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
