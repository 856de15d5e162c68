import { chromium } from 'playwright'
import { expect, test, vi } from 'vitest'
import { actionApi } from '../support/action-api.ts'
import { CdpSocket } from '../support/cdp-socket.ts'
import { startTestSite } from '../support/test-site.ts'
import { withApp } from '../support/with-app.ts'

// Texts of many megabytes, of browsers that have the machine's lowest priority.
vi.setConfig({ testTimeout: 300_000 })

const { tabwire, site, start, terminate, get, cdpUrlOf } = withApp(startTestSite)
const { run } = actionApi(tabwire)

const MIB = 1024 * 1024

const DROPPED = `query ($id: ID!) { session(id: $id) { pendingRequestCount events(first: 100) { nodes {
  __typename ... on EntriesDropped { reason count kinds } ... on ConsoleMessage { text truncated } } } } }`

interface Log {
  session: {
    pendingRequestCount: number
    events: { nodes: { __typename: string; reason?: string; count?: number; kinds?: string[]; text?: string }[] }
  }
}

async function logOf(id: string) {
  const { session } = await tabwire().query<Log>(DROPPED, { id })
  const { nodes } = session.events
  return {
    texts: nodes.filter(({ __typename }) => __typename === 'ConsoleMessage').map(({ text }) => text),
    dropped: nodes.filter(({ __typename }) => __typename === 'EntriesDropped'),
  }
}

const evaluate = (expression: string) => ({ evaluate: { expression } })

test('a result of any size fails the action that asked for it, and the session goes on', async () => {
  const session = await start({ initialPrompt: `${site().url}/title` }, 'LOADED')
  const outcomes = await run(session.id, [evaluate(`'x'.repeat(20e6)`)])
  expect(outcomes).toMatchObject([{ success: false, error: { code: 'SCRIPT_ERROR' } }])
  expect(outcomes[0]!.error!.message).toContain('too large')
  // More than a text of the page's own can hold.
  expect(await run(session.id, [evaluate(`'x'.repeat(600e6)`)])).toMatchObject([{ error: { code: 'SCRIPT_ERROR' } }])
  const text = [
    evaluate(`void (document.body.hidden = true, document.body.textContent = 'x'.repeat(20e6))`),
    { extract: { target: { css: 'body' }, timeoutMs: 120_000 } },
  ]
  expect((await run(session.id, text)).at(-1)).toMatchObject({ error: { code: 'NOT_ACTIONABLE' } })
  expect(await run(session.id, [evaluate('1 + 1')])).toMatchObject([{ success: true, result: 2 }])
  expect((await get(session.id))!.status).toBe('RUNNING')
  await terminate(session.id)
})

test('a line too large is one EntriesDropped in its place, also while a client hears it; large ones are cut', async () => {
  const session = await start({ initialPrompt: `${site().url}/title` }, 'LOADED')
  await using client = await CdpSocket.connect(await cdpUrlOf(session.id))
  const { sessionId } = await client.attachToPage()
  await client.send('Runtime.enable', {}, sessionId)
  const lines = [`console.log('before')`, `console.log('x'.repeat(20e6))`, `console.log('y'.repeat(10e6))`]
  await client.send('Runtime.evaluate', { expression: [...lines, `console.log('after')`].join(';') }, sessionId)
  await expect.poll(async () => (await logOf(session.id)).texts.at(-1)).toBe('after')
  const { texts, dropped } = await logOf(session.id)
  expect(texts.map((text) => text!.length)).toEqual([6, 32_768, 5])
  expect(dropped).toMatchObject([{ reason: 'MESSAGE_TOO_LARGE', count: 1, kinds: ['CONSOLE_MESSAGE'] }])
  // The client continues without it.
  expect(await client.send('Browser.getVersion')).toBeTruthy()
  await terminate(session.id)
})

test('a stack of which each frame has an address of a million characters ends nothing', async () => {
  const session = await start({ initialPrompt: `${site().url}/title` }, 'LOADED')
  const neighbor = await start({ initialPrompt: `${site().url}/title` }, 'LOADED')
  const expression = `setTimeout(() => {
    const deep = (0, eval)('(function f(n) { if (n > 0) return f(n - 1); console.log("deep") })\\n//# sourceURL=http://a/'
      + 'x'.repeat(1_000_000))
    deep(40)
    console.log('after')
  })`
  await run(session.id, [evaluate(`void ${expression}`)])
  await expect.poll(async () => (await logOf(session.id)).texts).toEqual(['after'])
  expect((await logOf(session.id)).dropped).toMatchObject([{ reason: 'MESSAGE_TOO_LARGE', count: 1 }])
  for (const { id } of [session, neighbor]) expect((await get(id))!.status).toBe('RUNNING')
  for (const { id } of [session, neighbor]) await terminate(id)
})

test('an event that cannot be left out ends its session as BROWSER_MISBEHAVED, and says which and how large', async () => {
  const session = await start({ initialPrompt: `${site().url}/title` }, 'LOADED')
  await run(session.id, [evaluate(`void setTimeout(() => open('about:blank', 'x'.repeat(20e6)))`)])
  const ended = async () => {
    const query = `query ($id: ID!) { session(id: $id) { status endReason error } }`
    return (await tabwire().query<{ session: object }>(query, { id: session.id })).session
  }
  const error = expect.stringMatching(/Page\.windowOpen event is too large to process \(\d+ bytes\)/) as string
  await expect.poll(ended).toEqual({ status: 'FAILED', endReason: 'BROWSER_MISBEHAVED', error })
})

test('Playwright shows that the result of a script is too large', async () => {
  const session = await start({ initialPrompt: `${site().url}/title` }, 'LOADED')
  const browser = await chromium.connectOverCDP(await cdpUrlOf(session.id))
  const page = browser.contexts()[0]!.pages()[0]!
  await expect(page.evaluate((bytes) => 'x'.repeat(bytes), 70 * MIB)).rejects.toThrow('too large to process')
  expect(await page.evaluate(() => 'small')).toBe('small')
  await browser.close()
  await terminate(session.id)
})

test('a client gets what is too large for us, up to 64 MiB, and else an error of its own', async () => {
  const session = await start({ initialPrompt: `${site().url}/title` }, 'LOADED')
  await using client = await CdpSocket.connect(await cdpUrlOf(session.id))
  const { sessionId } = await client.attachToPage()
  const ask = (bytes: number) =>
    client.ask('Runtime.evaluate', { expression: `'x'.repeat(${bytes})`, returnByValue: true }, sessionId)
  const { result } = await ask(20 * MIB)
  expect((result as { result: { value: string } }).result.value).toHaveLength(20 * MIB)
  const { error } = await ask(70 * MIB)
  expect(error).toMatchObject({ code: -32_000, message: expect.stringContaining('too large to process') as string })
  expect((await get(session.id))!.status).toBe('RUNNING')
  await terminate(session.id)
})
