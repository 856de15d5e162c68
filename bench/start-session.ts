import type { BrowserContextOptions } from 'playwright'
import { milliseconds, type Benchmark, type Finding, type Workbench } from './benchmark.ts'
import type { GraphqlClient } from './graphql-client.ts'
import { compare, interleave, timed } from './measure.ts'
import { untilWarm } from './warm-pool.ts'

const STARTS = 24

const START = `mutation ($input: StartSessionInput) {
  startSession(input: $input, waitUntil: RUNNING) { id status createdAt startedAt }
}`
const END = `mutation ($id: ID!) { terminateSession(id: $id) { id } }`

const VIEWPORT = { width: 1280, height: 800 }
const USER_AGENT = 'Mozilla/5.0 (X11; Linux x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36'

interface Variant extends Pick<Finding, 'id' | 'what' | 'must' | 'aim'> {
  input: Record<string, unknown> | null
  options: BrowserContextOptions
}

const VARIANTS: Variant[] = [
  {
    id: 'start-default',
    what: 'startSession(waitUntil: RUNNING), warm browser, default options, p50',
    must: 1.2,
    aim: 0.5,
    input: null,
    options: {},
  },
  {
    id: 'start-with-options',
    what: 'the same with viewport, user agent, locale and time zone',
    must: 2.0,
    aim: 1.4,
    input: { viewport: VIEWPORT, userAgent: USER_AGENT, locale: 'de-CH', timezone: 'Europe/Zurich' },
    options: { viewport: VIEWPORT, userAgent: USER_AGENT, locale: 'de-CH', timezoneId: 'Europe/Zurich' },
  },
]

/** Startup time of a session, compared with a context and a page of bare Playwright on a warm browser. */
export const startSession: Benchmark = {
  name: 'start',
  async run(workbench) {
    const { client } = await workbench.startServer()
    await startOnce(client, null)
    const findings: Finding[] = []
    for (const variant of VARIANTS) findings.push(await measure(workbench, client, variant))
    findings.push(await measureBounded(workbench))
    return findings
  },
}

async function measure({ browser, meter }: Workbench, client: GraphqlClient, variant: Variant): Promise<Finding> {
  const bare = async () => {
    await untilWarm(client)
    return meter.during('baseline', async () => {
      let close = async () => {}
      const elapsed = await timed(async () => {
        const context = await browser.newContext(variant.options)
        close = () => context.close()
        await context.newPage()
      })
      await close()
      return elapsed
    })
  }
  const served = async () => {
    await untilWarm(client)
    return meter.during('measured', () => startOnce(client, variant.input))
  }
  const { baseline, measured, ratio, spread } = compare(await interleave(STARTS, bare, served), 4)
  const { id, what, must, aim } = variant
  return {
    id,
    what,
    must,
    aim,
    figure: ratio,
    unit: '×',
    spread,
    baseline: milliseconds(baseline),
    measured: milliseconds(measured),
  }
}

/**
 * The same with a proxy for every browser, compared with none. Both servers are new: one that has started sessions
 * for a minute runs optimized code, and takes half the time.
 */
async function measureBounded({ meter, startServer }: Workbench): Promise<Finding> {
  const { client: open } = await startServer({ TABWIRE_EGRESS: 'open' })
  const { client: bounded } = await startServer({ TABWIRE_EGRESS: 'public' })
  for (const client of [open, bounded]) await startOnce(client, null)
  const startOn = (client: GraphqlClient, part: 'baseline' | 'measured') => async () => {
    await untilWarm(client)
    return meter.during(part, () => startOnce(client, null))
  }
  const runs = await interleave(STARTS, startOn(open, 'baseline'), startOn(bounded, 'measured'))
  const { baseline, measured, ratio, spread } = compare(runs, 4)
  return {
    id: 'start-public',
    what: 'startSession on a server with egress public, against one with open, p50',
    must: 1.2,
    aim: 1.1,
    figure: ratio,
    unit: '×',
    spread,
    baseline: milliseconds(baseline),
    measured: milliseconds(measured),
  }
}

/** Milliseconds until the session was running; ending it and refilling the pool are not included. */
async function startOnce(client: GraphqlClient, input: Record<string, unknown> | null): Promise<number> {
  let session = { id: '', status: '' }
  const elapsed = await timed(async () => {
    const answer = await client.query<{ startSession: typeof session }>(START, { input })
    session = answer.startSession
  })
  if (session.status !== 'RUNNING') throw new Error(`the session is ${session.status}`)
  await client.query(END, { id: session.id })
  await untilWarm(client)
  return elapsed
}
