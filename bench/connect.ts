import { chromium } from 'playwright'
import { milliseconds, type Benchmark, type Finding, type Workbench } from './benchmark.ts'
import { CdpSocket } from './cdp-socket.ts'
import type { GraphqlClient } from './graphql-client.ts'
import { compare, interleave, timed, type Pair } from './measure.ts'
import { startPortBrowser } from './port-browser.ts'
import { untilWarm } from './warm-pool.ts'

const BATCHES = 60
/** A single round trip is too short for the resolution of CPU times. */
const ROUND_TRIPS_A_BATCH = 50
const LARGE_ANSWERS = 24
const LIVES = 24
const MANY_LIVES = 100
const AT_A_TIME = 10

const START = `mutation ($url: String) {
  startSession(input: { initialPrompt: $url }, waitUntil: RUNNING) { id status access { cdpUrl } }
}`
const END = `mutation ($id: ID!) { terminateSession(id: $id) { id } }`

interface Started {
  startSession: { id: string; status: string; access: { cdpUrl: string } | null }
}

async function start(client: GraphqlClient): Promise<{ id: string; cdpUrl: string }> {
  const { startSession } = await client.query<Started>(START, { url: null })
  if (!startSession.access) throw new Error(`the session is ${startSession.status}`)
  return { id: startSession.id, cdpUrl: startSession.access.cdpUrl }
}

/** Overhead of the relay per command and response, compared with a browser's own debugging port. */
export const relay: Benchmark = {
  name: 'relay',
  async run(workbench) {
    const { client } = await workbench.startServer()
    await using port = await startPortBrowser()
    const { id, cdpUrl } = await start(client)
    await untilWarm(client)
    const direct = await CdpSocket.connect(port.url)
    const relayed = await CdpSocket.connect(cdpUrl)
    const [ofDirect, ofRelayed] = [await direct.attachToPage(), await relayed.attachToPage()]
    const asked = (socket: CdpSocket, sessionId: string, expression: string, times: number) => async () => {
      const params = { expression, returnByValue: true }
      for (let time = 0; time < times; time += 1) await socket.send('Runtime.evaluate', params, sessionId)
    }
    const both = (rounds: number, expression: string, times: number) =>
      interleaved(workbench, rounds, {
        baseline: asked(direct, ofDirect, expression, times),
        measured: asked(relayed, ofRelayed, expression, times),
      })
    const trips = await both(BATCHES, '1', ROUND_TRIPS_A_BATCH)
    const share = (ms: number) => ms / ROUND_TRIPS_A_BATCH
    const trip = trips.map(({ baseline, measured }) => ({ baseline: share(baseline), measured: share(measured) }))
    const large = await both(LARGE_ANSWERS, '"x".repeat(20_000_000)', 1)
    const findings = [
      finding(
        {
          id: 'cdp-round-trip',
          what: 'a command of the protocol and its answer, p50',
          must: 1.3,
          aim: 1.15,
        },
        trip,
      ),
      finding({ id: 'cdp-large-answer', what: 'an answer of 20 MB, p50', must: 1.25, aim: 1.1 }, large),
    ]
    await Promise.all([direct.close(), relayed.close()])
    await client.query(END, { id })
    return findings
  },
}

/** A session from start to end, with a client that connects and opens a page. */
export const wholeLife: Benchmark = {
  name: 'life',
  async run(workbench) {
    const { client } = await workbench.startServer({ TABWIRE_MAX_SESSIONS: String(AT_A_TIME * 2) })
    const { site } = workbench
    const life = async () => {
      const { id, cdpUrl } = await start(client)
      const browser = await chromium.connectOverCDP(cdpUrl)
      await browser.contexts()[0]!.pages()[0]!.goto(site.still)
      await client.query(END, { id })
      await browser.close()
    }
    await using port = await startPortBrowser()
    const bare = async () => {
      const context = await workbench.browser.newContext()
      await context.newPage()
      const browser = await chromium.connectOverCDP(port.url)
      const page = await browser.contexts()[0]!.newPage()
      await page.goto(site.still)
      await page.close()
      await browser.close()
      await context.close()
    }
    const cold = async () => {
      await using own = await startPortBrowser()
      const browser = await chromium.connectOverCDP(own.url)
      await browser.contexts()[0]!.pages()[0]!.goto(site.still)
      await browser.close()
    }
    const refilled = await interleaved(workbench, LIVES, {
      baseline: bare,
      measured: life,
      before: () => untilWarm(client),
    })
    const backToBack = await interleaved(workbench, LIVES, { baseline: bare, measured: life })
    const many = await interleaved(workbench, 1, {
      baseline: () => manyAtOnce(cold),
      measured: () => manyAtOnce(life),
      before: () => untilWarm(client),
      rehearsals: 0,
    })
    const limits = { must: 1.8, aim: 1.2 }
    return [
      finding(
        { id: 'whole-life', what: 'start, connect, open a page, terminate; the pool refilled between, p50', ...limits },
        refilled,
      ),
      finding({ id: 'whole-life-back-to-back', what: 'the same, back to back', ...limits }, backToBack),
      finding({ id: 'many-lives', what: `${MANY_LIVES} of these, ${AT_A_TIME} at a time`, must: 1.3, aim: 0.9 }, many),
    ]
  },
}

async function manyAtOnce(life: () => Promise<void>): Promise<void> {
  let left = MANY_LIVES
  const worker = async () => {
    while (left-- > 0) await life()
  }
  await Promise.all(Array.from({ length: AT_A_TIME }, worker))
}

interface Compared {
  baseline: () => Promise<unknown>
  measured: () => Promise<unknown>
  /** Set-up of each run; not measured. */
  before?: () => Promise<void>
  rehearsals?: number
}

async function interleaved({ meter }: Workbench, rounds: number, of: Compared): Promise<Pair[]> {
  const run = (phase: 'baseline' | 'measured') => async () => {
    await of.before?.()
    return meter.during(phase, () => timed(of[phase]))
  }
  await interleave(of.rehearsals ?? Math.ceil(rounds / 8), run('baseline'), run('measured'))
  return interleave(rounds, run('baseline'), run('measured'))
}

function finding(of: Pick<Finding, 'id' | 'what' | 'must' | 'aim'>, pairs: Pair[]): Finding {
  const { baseline, measured, ratio, spread } = compare(pairs, Math.min(4, pairs.length))
  return { ...of, figure: ratio, unit: '×', spread, baseline: milliseconds(baseline), measured: milliseconds(measured) }
}
