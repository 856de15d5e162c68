import { describe, expect, test } from 'vitest'
import { startScriptedSite } from '../adapters/playwright/scripted-site.ts'
import { browsersOf } from '../support/browser-processes.ts'
import { withApp } from '../support/with-app.ts'
import { freezeProcesses } from '../support/freeze-process.ts'

/** Events not delivered by the browser at the end cannot be counted: then, and only then, the last entries say so. */

const scripts: Record<string, string> = {
  quiet: `for (let i = 1; i <= 50; i++) console.log('line ' + i); tell('quiet')`,
  hang: `console.log('line 1'); tell('hang'); setTimeout(() => { console.log('line 2'); tell('hanging'); while (true) {} })`,
  'hanging-worker': `new Worker('/script/worker-hangs')`,
  'worker-hangs': `console.log('line 1'); tell('hanging-worker'); while (true) {}`,
  flood: `tell('flood'); for (let i = 1; ; i++) console.log('line ' + i)`,
  'worker-flood': `new Worker('/script/worker-floods')`,
  'worker-floods': `tell('worker-flood'); for (let i = 1; ; i++) console.log('line ' + i)`,
  'states-flood': `tell('states-flood'); setInterval(() => { for (let i = 0; i < 50; i++) console.log(history.pushState(0, '', '#' + i)) })`,
  lost: `tell('lost'); console.log('x'.repeat(20 * 1024 ** 2))`,
  'lost-by-worker': `tell('lost-by-worker'); console.log('x'.repeat(20 * 1024 ** 2))`,
  'with-worker': `new Worker('/script/lost-by-worker')`,
  'lost-by-shared-worker': `tell('lost-by-shared-worker'); console.log('x'.repeat(20 * 1024 ** 2))`,
  'with-shared-worker': `new SharedWorker('/script/lost-by-shared-worker')`,
  large: `tell('large'); console.log('x'.repeat(1e7)); console.log('after')`,
}

const { tabwire, site, start, terminate } = withApp(() => startScriptedSite(scripts), { warmBrowsers: 0 })

const LAST = `query ($id: ID!) { session(id: $id) { endedAt
  consoleMessages(last: 100) { nodes { text } }
  events(last: 20) { nodes { __typename ... on EntriesDropped { reason count kinds firstAt lastAt } ... on StatusChange { endReason } ... on NetworkRequest { failure } } } } }`
interface Last {
  session: {
    endedAt: string
    consoleMessages: { nodes: { text: string }[] }
    events: {
      nodes: {
        __typename: string
        reason?: string
        count?: number | null
        firstAt?: string
        lastAt?: string
        failure?: string | null
      }[]
    }
  }
}
const COUNT = `query ($id: ID!) { session(id: $id) { consoleMessageCount } }`
const countOf = async (id: string) =>
  (await tabwire().query<{ session: { consoleMessageCount: number } }>(COUNT, { id })).session.consoleMessageCount

const lastOf = async (id: string) => (await tabwire().query<Last>(LAST, { id })).session

/** A session whose page runs the script, once that has called `tell` with the name. */
async function startAt(script: string, reported = script): Promise<string> {
  const { id } = await start({ initialPrompt: `${site().url}/page/${script}` })
  await site().reported(reported)
  return id
}

const unreported = { __typename: 'EntriesDropped', reason: 'TERMINATED', count: null, kinds: [] }

/** Checks the last two entries, the times of which must be in order; returns them. */
async function lastEntriesOf(id: string) {
  const { events, endedAt } = await lastOf(id)
  const unreportedOf = events.nodes.at(-2)
  const times = [unreportedOf?.firstAt, unreportedOf?.lastAt, endedAt].map((time) => Date.parse(time!))
  expect(times).toEqual(times.toSorted((one, other) => one - other))
  return events.nodes.slice(-2)
}

const unreportedAnd = (endReason: string) => [unreported, { __typename: 'StatusChange', endReason }]

const numberedLines = (lines: number) => Array.from({ length: lines }, (_, index) => `line ${index + 1}`)

/** Missing entries as reported by a subscription, until it completes. */
async function followDrops(id: string): Promise<{ dropped: number; droppedUnknown: boolean }> {
  const query = `subscription ($id: ID!) { consoleMessages(sessionId: $id) { dropped droppedUnknown } }`
  const all = { dropped: 0, droppedUnknown: false }
  for await (const { data } of tabwire()
    .client()
    .iterate<{ consoleMessages: typeof all }>({ query, variables: { id } })) {
    all.dropped += data!.consoleMessages.dropped
    all.droppedUnknown ||= data!.consoleMessages.droppedUnknown
  }
  return all
}

describe('an end of which something may be missing says so before the final status', () => {
  test.each([
    ['a page that floods from within one script', 'flood'],
    ['a worker that floods', 'worker-flood'],
    ['a page that floods between its scripts', 'states-flood'],
  ])('%s', async (_, script) => {
    const id = await startAt(script)
    await expect.poll(() => countOf(id)).toBeGreaterThan(500)
    await terminate(id)
    expect(await lastEntriesOf(id)).toMatchObject(unreportedAnd('TERMINATED'))
  })

  test.each([
    ['a page that hangs', 'hang', 'hanging', 2],
    ['a worker that hangs', 'hanging-worker', 'hanging-worker', 1],
  ])('%s: its script is ended in the midst of whatever it does', async (_, script, reported, lines) => {
    const id = await startAt(script, reported)
    await terminate(id)
    expect((await lastOf(id)).consoleMessages.nodes.map(({ text }) => text)).toEqual(numberedLines(lines))
    expect(await lastEntriesOf(id)).toMatchObject(unreportedAnd('TERMINATED'))
  })

  test.each([
    ['a page', 'lost', 'lost'],
    ['a worker', 'with-worker', 'lost-by-worker'],
    ['a shared worker', 'with-shared-worker', 'lost-by-shared-worker'],
  ])('%s that hands over a line above the bound', async (_, script, reported) => {
    const id = await startAt(script, reported)
    await terminate(id)
    const { nodes } = (await lastOf(id)).events
    const said = nodes.map((entry) => [entry.__typename, entry.reason, entry.count, entry.failure].join(' ')).join(', ')
    // Counted where it was handed over in time.
    expect(said).toMatch(/EntriesDropped (TERMINATED  |MESSAGE_TOO_LARGE 1 )/)
  })

  test('a line that takes long, and the one after it, are recorded or said to be missing', async () => {
    const id = await startAt('large')
    await terminate(id)
    const { events, consoleMessages } = await lastOf(id)
    const isReported = consoleMessages.nodes.map(({ text }) => text.slice(0, 5)).join() === 'xxxxx,after'
    expect(isReported || events.nodes.at(-2)?.count === null).toBe(true)
  })

  test.each([
    ['stands still', 'SIGSTOP', 'TERMINATED'],
    ['was killed', 'SIGKILL', 'BROWSER_CRASHED'],
  ] as const)('a browser that %s', async (_, signal, endReason) => {
    const { id } = await start({ initialPrompt: `${site().url}/page/quiet` }, 'LOADED')
    const following = followDrops(id)
    const [browser] = await browsersOf(process.pid)
    if (signal === 'SIGSTOP') {
      await freezeProcesses(browser!.pid)
      await terminate(id)
    } else {
      process.kill(browser!.pid, signal)
    }
    expect(await following).toEqual({ dropped: 0, droppedUnknown: true })
    expect(await lastEntriesOf(id)).toMatchObject(unreportedAnd(endReason))
  })
})
