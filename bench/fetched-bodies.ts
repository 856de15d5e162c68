import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser } from 'playwright'
import { milliseconds, type Benchmark, type Finding } from './benchmark.ts'
import type { GraphqlClient } from './graphql-client.ts'
import { FETCHED_PATH, type LocalSite } from './local-site.ts'
import { compare, interleave, type Comparison } from './measure.ts'
import { untilWarm } from './warm-pool.ts'

const ROUNDS = 10
const FETCHES = 200

const START = `mutation ($input: StartSessionInput!) { startSession(input: $input, waitUntil: RUNNING) { id status } }`
const FOLLOW = `subscription ($id: ID!) { networkRequests(sessionId: $id) { entries { url } dropped } }`
const END = `mutation ($id: ID!) { terminateSession(id: $id) { id } }`

interface Batch {
  networkRequests: { entries: { url: string }[]; dropped: number }
}

let runs = 0
const nameRun = () => `${process.pid}-fetches-${(runs += 1)}`

/** A page that fetches JSON, until each request is committed with its response body. */
export const fetchedBodies: Benchmark = {
  name: 'bodies',
  async run({ site, browser, meter, startServer }) {
    const { client } = await startServer()
    const served = (capture: object | undefined, part: 'baseline' | 'measured') => () =>
      meter.during(part, () => fetchThroughServer(client, site, capture))
    const withBodies = served(undefined, 'measured')
    const withoutBodies = served({ bodies: 'NONE' }, 'baseline')
    const bare = () => meter.during('baseline', () => fetchIntoHar(browser, site))
    for (const run of [withBodies, withoutBodies, bare]) await run()
    const what = `a page of ${FETCHES} JSON fetches with default capture, until all are committed`
    return [
      found(
        'bodies',
        `${what}, against bodies NONE`,
        1.25,
        1.1,
        compare(await interleave(ROUNDS, withoutBodies, withBodies)),
      ),
      found(
        'bodies-har',
        `${what}, against bare Playwright with recordHar, until context.close() has resolved`,
        1,
        0.7,
        compare(await interleave(ROUNDS, bare, withBodies)),
      ),
    ]
  },
}

function found(
  id: string,
  what: string,
  must: number,
  aim: number,
  { baseline, measured, ratio, spread }: Comparison,
): Finding {
  const times = { baseline: milliseconds(baseline), measured: milliseconds(measured) }
  return { id, what, must, aim, figure: ratio, unit: '×', spread, ...times }
}

/** From the signal to the page until a subscriber has received all of its requests. */
async function fetchThroughServer(
  client: GraphqlClient,
  site: LocalSite,
  capture: object | undefined,
): Promise<number> {
  const run = nameRun()
  const input = { initialPrompt: site.fetchesOf(run, FETCHES), ...(capture && { capture }) }
  const { startSession } = await client.query<{ startSession: { id: string } }>(START, { input })
  const { id } = startSession
  const batches = client.subscribe<Batch>(FOLLOW, { id })
  try {
    await site.waiting(run)
    await untilWarm(client)
    const start = site.go(run)
    let count = 0
    for await (const { networkRequests } of batches) {
      if (networkRequests.dropped > 0) throw new Error(`${networkRequests.dropped} requests were dropped`)
      count += networkRequests.entries.filter(({ url }) => url.includes(FETCHED_PATH)).length
      if (count === FETCHES) return performance.now() - start
    }
    throw new Error(`only ${count} requests were recorded`)
  } finally {
    await client.query(END, { id })
  }
}

/** From the signal to the page until the HAR with its bodies is written. */
async function fetchIntoHar(browser: Browser, site: LocalSite): Promise<number> {
  const run = nameRun()
  const folder = await mkdtemp(join(tmpdir(), 'tabwire-bench-har-'))
  try {
    const context = await browser.newContext({ recordHar: { path: join(folder, 'page.har') } })
    const page = await context.newPage()
    await page.goto(site.fetchesOf(run, FETCHES))
    await site.waiting(run)
    const finished = site.finished(run)
    const start = site.go(run)
    await finished
    await context.close()
    return performance.now() - start
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
