import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer, get, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser } from 'playwright'
import { milliseconds, type Benchmark } from './benchmark.ts'
import type { GraphqlClient } from './graphql-client.ts'
import { compare, interleave, timed } from './measure.ts'

const REQUESTS = 10_000
const ROUNDS = 3

/** Fetches everything, a few at a time, and reports the end in its title. */
const PAGE = `<!doctype html><title>asking</title><link rel="icon" href="data:,"><script type="module">
let next = 0
const work = async () => {
  while (next < ${REQUESTS}) await (await fetch('/items/' + next++)).json()
}
await Promise.all(Array.from({ length: 6 }, work))
document.title = 'done'
</script>`

const START = `mutation ($url: String!) {
  startSession(input: { initialPrompt: $url, keepAlive: true }, waitUntil: LOADED) { id }
}`
const COUNT = 'query ($id: ID!) { session(id: $id) { status networkRequestCount } }'
const TERMINATE = 'mutation ($id: ID!) { terminateSession(id: $id) { status } }'
const EXPORT = 'query ($id: ID!) { exportLog(sessionId: $id, format: HAR) { url } }'

/** HAR export of ten thousand requests from a log, compared with Playwright writing its own for the same page. */
export const harExport: Benchmark = {
  name: 'har',
  async run({ browser, meter, startServer }) {
    await using opened = new AsyncDisposableStack()
    const url = opened.adopt(await startItems(), ({ close }) => close()).url
    const folder = opened.adopt(await mkdtemp(join(tmpdir(), 'tabwire-bench-')), (path) =>
      rm(path, { recursive: true }),
    )
    const { client } = await startServer()
    const id = await recordedByServer(client, url)
    const bare = async (round: number) => {
      const path = join(folder, `${round}.har`)
      const write = await recordedByPlaywright(browser, url, path)
      const elapsed = await meter.during('baseline', () => timed(write))
      expectRequests(await readFile(path, 'utf8'))
      return elapsed
    }
    const exported = async () => {
      let bytes = Buffer.alloc(0)
      const elapsed = await meter.during('measured', () =>
        timed(async () => {
          bytes = await download(client, id)
        }),
      )
      expectRequests(bytes.toString())
      return elapsed
    }
    // Warm-up: code is loaded and compiled.
    await exported()
    const { baseline, measured, ratio, spread } = compare(await interleave(ROUNDS, bare, exported))
    return [
      {
        id: 'har',
        what: `HAR of ${REQUESTS.toLocaleString('en')} requests, downloaded; Playwright: until context.close() has resolved`,
        baseline: milliseconds(baseline),
        measured: milliseconds(measured),
        figure: ratio,
        unit: '×',
        spread,
        must: 1,
        aim: 0.5,
      },
    ]
  },
}

async function startItems() {
  const server = createServer((request, response) => {
    const isPage = request.url === '/'
    const item = JSON.stringify({ item: request.url, words: 'what a list has of each of its items' })
    response.writeHead(200, { 'content-type': isPage ? 'text/html' : 'application/json', 'cache-control': 'no-store' })
    response.end(isPage ? PAGE : item)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const close = async () => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  }
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, close }
}

/** Returns a function that writes the archive. */
async function recordedByPlaywright(browser: Browser, url: string, path: string): Promise<() => Promise<void>> {
  const context = await browser.newContext({ recordHar: { path, content: 'embed' } })
  const page = await context.newPage()
  await page.goto(url)
  await page.waitForFunction(() => document.title === 'done', undefined, { timeout: 0 })
  return () => context.close()
}

interface Counted {
  session: { status: string; networkRequestCount: number }
}

/** Id of an ended session whose log has all requests. */
async function recordedByServer(client: GraphqlClient, url: string): Promise<string> {
  const { startSession } = await client.query<{ startSession: { id: string } }>(START, { url })
  const { id } = startSession
  for (;;) {
    const { session } = await client.query<Counted>(COUNT, { id })
    if (session.networkRequestCount > REQUESTS) break
    if (session.status !== 'RUNNING') throw new Error(`the session is ${session.status}: ${JSON.stringify(session)}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  await client.query(TERMINATE, { id })
  return id
}

/** Reads only the bytes: the other archive is not parsed before its measurement ends either. */
async function download(client: GraphqlClient, id: string): Promise<Buffer<ArrayBuffer>> {
  const { exportLog } = await client.query<{ exportLog: { url: string } }>(EXPORT, { id })
  const [response] = (await once(get(exportLog.url), 'response')) as [IncomingMessage]
  if (response.statusCode !== 200) throw new Error(`the export failed: ${response.statusCode}`)
  return Buffer.concat((await response.toArray()) as Buffer[])
}

function expectRequests(har: string): void {
  const { log } = JSON.parse(har) as { log: { entries: unknown[] } }
  if (log.entries.length !== REQUESTS + 1) throw new Error(`the archive has ${log.entries.length} requests`)
}
