import { existsSync, readFileSync } from 'node:fs'
import { getPriority } from 'node:os'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { MESSAGE_LIMITS } from '../../../src/adapters/playwright/cdp/pipe/message-limits.ts'
import { WAIT_LIMITS, NO_DEADLINE } from '../../support/time-limits.ts'
import { startScriptedSite, type ScriptedSite } from './scripted-site.ts'
import { startTestPool, type TestPool } from './test-pool.ts'

const LIMIT = 256 * 1024
const BIG = `'x'.repeat(${2 * LIMIT})`

/** The maximum number of stack frames of V8, each with the script's URL: a small script causes a large message. */
const deep = (work: string) => `;(0, eval)('(function f(n) { if (n > 0) return f(n - 1); ${work} })(20)' +
  '\\n//# sourceURL=http://site/' + 'x'.repeat(${LIMIT / 10}))`

const SCRIPTS = {
  lines: `console.log('before'); console.log(${BIG}); ${deep('console.log(1)')}; console.log('after'); tell('lines')`,
  exceptions: `setTimeout(() => { throw new Error(${BIG}) }); setTimeout(() => { console.log('after'); tell('exceptions') }, 100)`,
  requests: `(async () => {
    await fetch('/header', { headers: { 'x-large': ${BIG} } }).catch(() => {})
    await fetch('/post', { method: 'POST', body: 'x'.repeat(100) }).catch(() => {})
    ${deep('globalThis.asked = fetch("/deep")')}
    await asked.catch(() => {})
    await fetch('data:text/plain,' + ${BIG}).catch(() => {})
    tell('requests')
  })()`,
  worker: `new Worker(URL.createObjectURL(new Blob([
    "console.log(${BIG}); console.log('after'); setTimeout(() => { throw new Error(${BIG}) }); setTimeout(() => postMessage(1), 100)"
  ]))).onmessage = () => tell('worker')`,
  window: `open('about:blank', 'x' + ${BIG}); tell('window')`,
  frame: deep('document.documentElement.appendChild(document.createElement("iframe"))'),
}

let site: ScriptedSite
let pool: TestPool

beforeAll(async () => {
  site = await startScriptedSite(SCRIPTS)
  pool = await startTestPool({ warm: 1, messageLimits: { ...MESSAGE_LIMITS, parsed: LIMIT } })
})

afterAll(async () => {
  await pool.close()
  await site.close()
})

async function visit(page: keyof typeof SCRIPTS) {
  const { session, recorder } = await pool.start()
  let why: string | null = null
  void session.misbehaved.then((reason) => (why = reason))
  void session.open(`${site.url}/page/${page}`, NO_DEADLINE)
  return { session, recorder, why: () => why }
}

test.each([
  ['lines', ['before', 'after'], ['CONSOLE_MESSAGE', 'CONSOLE_MESSAGE']],
  ['exceptions', ['after'], ['CONSOLE_MESSAGE']],
  // Exceptions of a worker are also reported to its page.
  ['worker', ['after'], ['CONSOLE_MESSAGE', 'CONSOLE_MESSAGE']],
] as const)(
  'messages of %s that are too large are counted, once each, and the others recorded',
  async (page, texts, missing) => {
    const { session, recorder, why } = await visit(page)
    await site.reported(page)
    await session.flush(WAIT_LIMITS.timeout)
    expect(recorder.texts()).toEqual(texts)
    expect(recorder.missing).toEqual(missing)
    expect(why()).toBeNull()
    await session.close(1_000)
  },
)

test('requests that are too large are counted, once each, and none stays in flight', async () => {
  const { session, recorder, why } = await visit('requests')
  await site.reported('requests')
  await session.flush(WAIT_LIMITS.timeout)
  expect(recorder.missing.filter((kind) => kind === 'NETWORK_REQUEST')).toHaveLength(2)
  expect(recorder.requests('/header')).toEqual([])
  expect(recorder.requests('/deep')).toEqual([])
  // The page continues once it has the headers; the outcome of the request is reported a moment later.
  await vi.waitFor(() => {
    expect(recorder.requests('/post')).toHaveLength(1)
    expect([...recorder.inFlight.values()].filter(({ url }) => !url.includes('told'))).toEqual([])
  }, WAIT_LIMITS)
  expect(why()).toBeNull()
  await session.close(1_000)
})

test.each([
  ['window', 'Page.windowOpen'],
  ['frame', 'Page.frameAttached'],
] as const)('an event that cannot be left out ends the session of that browser alone: %s', async (page, method) => {
  const { session: neighbor } = await pool.start()
  const { session, why } = await visit(page)
  await expect.poll(() => why()).toContain(`${method} event is too large to process`)
  await session.close(1_000)
  expect(await neighbor.ping(WAIT_LIMITS.timeout)).not.toBeNull()
  await neighbor.close(1_000)
})

test('browsers give way to the server where both want the processor', async () => {
  const { session } = await pool.start()
  for (const pid of pool.browsers()) {
    expect(getPriority(pid)).toBeGreaterThan(getPriority(process.pid))
    const group = `/proc/${pid}/autogroup`
    // If the kernel schedules sessions of processes as groups, their priority is what counts.
    if (existsSync(group)) await expect.poll(() => readFileSync(group, 'utf8')).toMatch(/nice [1-9]/)
  }
  await session.close(1_000)
})
