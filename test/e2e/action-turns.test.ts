import { rm } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ACTION, actionApi, outcomes, type ActionData } from '../support/action-api.ts'
import { CdpSocket } from '../support/cdp-socket.ts'
import { connectApi } from '../support/connect-api.ts'
import { leakGate } from '../support/leak-gate.ts'
import { sessionApi } from '../support/session-api.ts'
import { startTestApp, type TestApp } from '../support/start-app.ts'
import { startTestSite, type TestSite } from '../support/test-site.ts'
import { readEntireLog } from '../support/entire-log.ts'

leakGate()

let site: TestSite
let tabwire: TestApp
const { start, get, limit, terminate } = sessionApi(() => tabwire)
const { run, runUntil, logged } = actionApi(() => tabwire)
const { cdpUrlOf } = connectApi(() => tabwire)

beforeAll(async () => {
  site = await startTestSite()
  tabwire = await startTestApp()
})

afterAll(async () => {
  await tabwire.close()
  await site.close()
})

const evaluate = (expression: string) => ({ evaluate: { expression } })
/** Forever. */
const waitForGo = { wait: { target: { css: '#go' }, state: 'ATTACHED' } }

const eventsOf = (id: string) =>
  readEntireLog<ActionData & { text?: string }>(
    tabwire,
    id,
    `__typename sequence ... on Action { ${ACTION} } ... on ConsoleMessage { text }`,
  )

const said = async (id: string, text: string) =>
  (await eventsOf(id)).some((entry) => entry.__typename === 'ConsoleMessage' && entry.text === text)

test('two callers are served in turn: their steps never interleave, and stand in the order in which they came', async () => {
  const { id } = await start({ initialPrompt: `${site.url}/title` }, 'LOADED')
  const steps = (caller: number) =>
    Array.from({ length: 4 }, (_, step) =>
      evaluate(`new Promise((done) => setTimeout(() => { console.log('${caller}.${step}'); done(${caller}) }, 5))`),
    )
  const answers = await Promise.all([0, 1, 2].map((caller) => run(id, steps(caller))))
  for (const answer of answers) expect(outcomes(answer)).toEqual(['DONE', 'DONE', 'DONE', 'DONE'])
  const order = (await logged(id)).map(({ result }) => result)
  const callers = [...new Set(order)]
  expect(order).toEqual(callers.flatMap((caller) => [caller, caller, caller, caller]))
  await expect
    .poll(async () => (await eventsOf(id)).filter(({ __typename }) => __typename === 'ConsoleMessage').length)
    .toBe(12)
  const lines = (await eventsOf(id)).flatMap(({ text }) => text ?? [])
  expect(lines).toEqual(callers.flatMap((caller) => [0, 1, 2, 3].map((step) => `${String(caller)}.${step}`)))
})

test('a client that goes away cancels what has not begun; what has is finished, and all of it is told', async () => {
  const { id } = await start({ initialPrompt: `${site.url}/title` }, 'LOADED')
  await using client = await CdpSocket.connect(await cdpUrlOf(id))
  const { sessionId } = await client.attachToPage()
  const leaving = new AbortController()
  const held = evaluate(`console.log('begun'), new Promise((done) => { globalThis.go = done })`)
  const first = runUntil(id, [evaluate('1'), held, evaluate('2')], leaving.signal)
  await expect.poll(() => said(id, 'begun')).toBe(true)
  const second = runUntil(id, [evaluate('3'), evaluate('4')], leaving.signal)
  leaving.abort()
  await expect(first).rejects.toThrow()
  await expect(second).rejects.toThrow()
  // The server, which is in this process, has heard by then that the client is gone.
  expect((await get(id))!.status).toBe('RUNNING')
  await client.send('Runtime.evaluate', { expression: 'go()' }, sessionId)
  expect(outcomes(await run(id, [evaluate('5')]))).toEqual(['DONE'])
  const actions = await logged(id)
  expect(outcomes(actions.slice(0, 3))).toEqual(['DONE', 'DONE', 'CANCELLED'])
  expect(actions.at(-1)!.result).toBe(5)
  for (const { error } of actions.slice(3, -1)) expect(error?.code).toBe('CANCELLED')
})

describe('the end of a session', () => {
  test('breaks off what runs and what waits; both are answered, and in the log before the final status', async () => {
    const { id } = await start({ initialPrompt: `${site.url}/title` }, 'LOADED')
    const running = run(id, [evaluate(`console.log('begun'), 1`), waitForGo, evaluate('2')])
    await expect.poll(() => said(id, 'begun')).toBe(true)
    const waiting = run(id, [evaluate('3')])
    await expect.poll(async () => (await logged(id)).length).toBe(1)
    await terminate(id)
    const answered = await running
    expect(outcomes(answered)).toEqual(['DONE', 'SESSION_ENDED', 'SKIPPED'])
    expect(answered[1]!.error!.message).toContain('TERMINATED')
    const late = await waiting.catch(() => [])
    expect(outcomes(late)).toEqual(['SESSION_ENDED'])
    expect(await logged(id)).toEqual([...answered, ...late])
    const events = await eventsOf(id)
    expect(events.at(-1)!.__typename).toBe('StatusChange')
    expect(events.map(({ sequence }) => sequence)).toEqual(events.map((_, index) => index + 1))
  })

  test('by idleness waits for an action that runs; after it the time begins anew', async () => {
    const { id } = await start({ initialPrompt: `${site.url}/title` }, 'LOADED')
    const waiting = run(id, [{ wait: { timeMs: 2500 } }])
    await limit(id, { idleTimeoutSeconds: 1 })
    const [waited] = await waiting
    expect(waited!.success).toBe(true)
    await expect.poll(async () => (await get(id))!.endReason).toBe('IDLE_TIMEOUT')
    const { lastActivityAt, endedAt } = (await get(id))!
    expect(Date.parse(lastActivityAt)).toBeGreaterThanOrEqual(Date.parse(waited!.at))
    expect(Date.parse(endedAt!)).toBeGreaterThanOrEqual(Date.parse(waited!.at) + 1_000)
  })
})

test('a session that is being created: its actions wait until it runs', async () => {
  const { id } = await start({}, 'CREATING')
  expect(outcomes(await run(id, [evaluate('1')]))).toEqual(['DONE'])
})

test('a file for which there is no room fails its step alone; the log outlives a restart as it was', async () => {
  const own = await startTestApp({ artifactQuotaBytes: 100 })
  const api = actionApi(() => own)
  let again: TestApp | null = null
  try {
    const query = 'mutation { startSession(waitUntil: RUNNING) { id } }'
    const { id } = (await own.query<{ startSession: { id: string } }>(query)).startSession
    const actions = await api.run(id, [evaluate('1'), { screenshot: {} }, evaluate('2')])
    expect(outcomes(actions)).toEqual(['DONE', 'QUOTA_EXCEEDED', 'SKIPPED'])
    expect(actions[1]).toMatchObject({ artifact: null, type: 'SCREENSHOT' })
    expect(outcomes(await api.run(id, [evaluate('3')]))).toEqual(['DONE'])
    const before = await api.logged(id)
    await own.app.close()
    again = await startTestApp({ dataDir: own.dataDir })
    expect(await actionApi(() => again!).logged(id)).toEqual(before)
  } finally {
    await again?.close()
    await own.close()
    await rm(own.dataDir, { recursive: true, force: true })
  }
})
