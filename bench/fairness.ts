import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { milliseconds, type Benchmark, type Finding } from './benchmark.ts'
import type { GraphqlClient } from './graphql-client.ts'
import { receiveThroughServer } from './logged-lines.ts'
import { percentile } from './measure.ts'

const TRICKLE = { count: 400, everyMs: 10 }
const HEALTH_EVERY_MS = 50

/** Endless loops of a page. */
const FLOODS = {
  states: `let n = 0; setInterval(() => { for (let i = 0; i < 50; i++) try { history.replaceState(0, '', '#' + n++) } catch {} }, 1)`,
  fetches: `const ask = () => fetch('/text').then((r) => r.text()).finally(ask); for (let i = 0; i < 20; i++) ask()`,
  streams: `for (let i = 0; i < 4; i++) fetch('/stream').then(async ({ body }) => {
    const reader = body.getReader(); while (!(await reader.read()).done); })`,
  lines: `setInterval(() => { for (let i = 0; i < 500; i++) console.log('line', i, { i }) }, 1)`,
} as const

const START = `mutation ($input: StartSessionInput!) { startSession(input: $input, waitUntil: RUNNING) { id } }`
const END = `mutation ($id: ID!) { terminateSession(id: $id) { id } }`

/**
 * The p99 of one session's line latency, and the slowest /health, while a page of another floods its browser's pipe.
 */
export const fairness: Benchmark = {
  name: 'fairness',
  async run({ site, meter, startServer }) {
    const { client, url } = await startServer()
    const floods = await startFloods()
    try {
      await receiveThroughServer(client, site, { count: 100, everyMs: 5 })
      const findings: Finding[] = []
      for (const name of Object.keys(FLOODS)) {
        const quiet = await meter.during('baseline', () => receiveThroughServer(client, site, TRICKLE))
        const session = await startFlood(client, `${floods.url}/${name}`)
        const health = watchHealth(url)
        const received = await meter.during('measured', () => receiveThroughServer(client, site, TRICKLE))
        const slowest = await health.stop()
        await client.query(END, { id: session })
        const [baseline, measured] = [quiet, received].map(({ delaysMs }) => percentile(delaysMs, 0.99)) as [
          number,
          number,
        ]
        const ratio = measured / baseline
        findings.push(
          {
            id: `fairness-${name}`,
            what: `p99 of a line at 100/s beside a page that floods (${name}), against itself, quiet`,
            baseline: milliseconds(baseline),
            measured: milliseconds(measured),
            figure: ratio,
            unit: '×',
            must: 5,
            aim: 2,
            spread: [ratio, ratio],
          },
          {
            id: `fairness-${name}-health`,
            what: `slowest GET /health meanwhile (${name})`,
            baseline: '–',
            measured: milliseconds(slowest),
            figure: slowest,
            unit: 'ms',
            must: 250,
            aim: 100,
            spread: [slowest, slowest],
          },
        )
      }
      return findings
    } finally {
      await floods.close()
    }
  },
}

async function startFlood(client: GraphqlClient, initialPrompt: string): Promise<string> {
  const { startSession } = await client.query<{ startSession: { id: string } }>(START, { input: { initialPrompt } })
  return startSession.id
}

/** Polls until stopped; returns the time of the slowest response. */
function watchHealth(url: string): { stop(): Promise<number> } {
  const stopped = new AbortController()
  const watching = (async () => {
    let slowest = 0
    while (!stopped.signal.aborted) {
      const start = performance.now()
      await (await fetch(`${url}/health`)).text()
      slowest = Math.max(slowest, performance.now() - start)
      await delay(HEALTH_EVERY_MS)
    }
    return slowest
  })()
  return {
    stop: () => {
      stopped.abort()
      return watching
    },
  }
}

async function startFloods(): Promise<{ url: string; close(): Promise<void> }> {
  const server = createServer((request, response) => {
    const name = (request.url ?? '/').slice(1)
    if (name === 'text') return void response.end('text')
    if (name === 'stream') {
      const timer = setInterval(() => response.write('x'.repeat(1_000)), 1)
      return void response.once('close', () => clearInterval(timer))
    }
    const script = name in FLOODS ? FLOODS[name as keyof typeof FLOODS] : ''
    return void response
      .writeHead(200, { 'content-type': 'text/html' })
      .end(`<!doctype html><title>flood</title><link rel="icon" href="data:,"><script>${script}</script>`)
  })
  const { promise: listening, resolve } = Promise.withResolvers<void>()
  server.listen(0, '127.0.0.1', resolve)
  await listening
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections()
      const closed = Promise.withResolvers<void>()
      server.close(() => closed.resolve())
      await closed.promise
    },
  }
}
