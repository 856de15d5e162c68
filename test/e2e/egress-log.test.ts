import { afterAll, beforeAll, expect, test } from 'vitest'
import type { HarRequest } from '../../src/domain/exports/har-request.ts'
import { startPagesSite } from '../support/pages-site.ts'
import { startUnreachable, type Unreachable } from '../support/unreachable.ts'
import { readEntireLog } from '../support/entire-log.ts'
import { withApp } from '../support/with-app.ts'

/** A session's log without parts that differ between sessions by nature. */
interface Logged {
  requests: string[]
  webSockets: string[]
  lines: string[]
  har: string[]
  phases: string[]
}

/** Fetches and opens the given URLs in sequence; `by` identifies the caller in the log. */
const SCRIPT = `
async function failAll(targets, by) {
  for (const target of targets) {
    // The browser delays WebSockets after others that failed, so workers open none.
    if (target.startsWith('ws')) {
      if (by !== 'page') continue
      await new Promise((settled) => { const socket = new WebSocket(target + '/?by=' + by); socket.onclose = settled })
    } else await fetch(target + '/?by=' + by, { mode: 'no-cors' }).catch(() => {})
  }
}
const isServiceWorker = 'skipWaiting' in self
const isWorker = 'importScripts' in self
addEventListener('message', async ({ data, source }) => {
  if (!isWorker || !Array.isArray(data)) return
  await failAll(data, isServiceWorker ? 'service-worker' : 'worker')
  ;(source ?? self).postMessage('done')
})
if (isServiceWorker) addEventListener('install', () => self.skipWaiting())
`
const PAGE = `<title>All that fails</title><script src="/script.js"></script><script>
  const targets = JSON.parse(decodeURIComponent(location.search.slice(1)))
  const done = (from) => new Promise((told) => from.addEventListener('message', ({ data }) => data === 'done' && told()))
  addEventListener('load', async () => {
    await failAll(targets, 'page')
    const worker = new Worker('/script.js')
    const workerIsDone = done(worker)
    worker.postMessage(targets)
    await workerIsDone
    await navigator.serviceWorker.register('/script.js')
    const { active } = await navigator.serviceWorker.ready
    const serviceWorkerIsDone = done(navigator.serviceWorker)
    navigator.serviceWorker.startMessages()
    active.postMessage(targets)
    await serviceWorkerIsDone
    await fetch('/fine')
    await fetch(location.origin.replace('127.0.0.1', 'localhost') + '/named')
    console.log('all done')
  })
</script>`

const { tabwire, site, start, terminate, get } = withApp(
  () => startPagesSite({ '/': PAGE, '/script.js': SCRIPT, '/fine': 'fine', '/named': 'named' }),
  {},
  // What is recorded only at the end is, however slow the browser is.
  { deadlines: { flush: 20_000 } },
)
let failing: Unreachable
beforeAll(async () => {
  failing = await startUnreachable()
})
afterAll(() => failing.close())

/** An unused port, which no page of the session may reach. */
const ELSEWHERE = '127.0.0.2:8080'

test('the log and the HAR say the same of what fails, with and without a proxy', { timeout: 180_000 }, async () => {
  const { refused, unresolvable, reset, untrusted } = failing
  const hosts = [refused, unresolvable, reset, untrusted]
  const targets = ['http', 'https', 'ws', 'wss'].flatMap((scheme) => hosts.map((host) => `${scheme}://${host}`))
  const blocked = ['http', 'https', 'ws'].map((scheme) => `${scheme}://${ELSEWHERE}`)
  const direct = await visited(targets)
  const proxied = await visited([...targets, ...blocked], { allowedHosts: ['127.0.0.1', '*.invalid', 'localhost'] })
  for (const error of ['CONNECTION_REFUSED', 'NAME_NOT_RESOLVED', 'CONNECTION_RESET', 'CERT_AUTHORITY_INVALID']) {
    const failures = direct.requests.filter((request) => request.includes(`net::ERR_${error}`))
    expect(failures.map((request) => /by=([\w-]+)/.exec(request)?.[1])).toEqual(
      expect.arrayContaining(['page', 'worker', 'service-worker']),
    )
  }
  const isOther = (text: string) => !text.includes(ELSEWHERE) && !/^BROWSER.*BLOCKED/.test(text)
  for (const part of ['requests', 'webSockets', 'lines', 'har'] as const) {
    expect(proxied[part].filter(isOther)).toEqual(direct[part])
  }
  const named = (log: Logged) => log.phases.filter((phases) => phases.includes('/named'))
  expect(named(proxied)).toEqual([expect.stringMatching(/"dnsMs":\d.*"connectMs":\d/)])
  expect(named(direct)).toHaveLength(1)
  const refusedByUs = proxied.requests.filter((request) => request.includes(ELSEWHERE))
  expect(refusedByUs).toHaveLength(6)
  expect(refusedByUs.every((request) => request.includes('"failure":"BLOCKED (allowedHosts)"'))).toBe(true)
  expect(proxied.webSockets.filter((socket) => socket.includes(ELSEWHERE))).toEqual([
    expect.stringContaining('Error in connection establishment: BLOCKED (allowedHosts)'),
  ])
  expect(proxied.har.filter((entry) => entry.includes(ELSEWHERE) && entry.includes('BLOCKED'))).toHaveLength(7)
})

async function visited(targets: string[], input: Record<string, unknown> = {}): Promise<Logged> {
  const initialPrompt = `${site().url}/?${encodeURIComponent(JSON.stringify(targets))}`
  const { id } = await start({ initialPrompt, record: ['HAR'], ...input })
  await expect.poll(async () => (await logOf(id)).lines, { timeout: 60_000 }).toContain('CONSOLE: all done')
  await expect.poll(async () => (await get(id))!.pendingRequestCount).toBe(0)
  await terminate(id)
  // Messages and requests are recorded a moment later: by the end all are.
  return { ...(await logOf(id)), har: await harOf(id) }
}

async function harOf(id: string): Promise<string[]> {
  const query = `query ($id: ID!) { session(id: $id) { artifacts(kind: HAR) { nodes { url } } } }`
  const { session } = await tabwire().query<{ session: { artifacts: { nodes: { url: string }[] } } }>(query, { id })
  const { log } = (await (await fetch(session.artifacts.nodes[0]!.url)).json()) as { log: { entries: HarRequest[] } }
  return log.entries
    .map(({ request: { url }, response: { status, _failureText }, serverIPAddress, _serverPort }) =>
      JSON.stringify({ url: hidden(url), status, _failureText, serverIPAddress, _serverPort }),
    )
    .sort()
}

/** The failing targets request the page under different names. */
const hidden = (text: string) => text.replace(/\/\?%5B[^"\s]*/, '/?targets')

async function logOf(id: string): Promise<Omit<Logged, 'har'>> {
  const nodes = await readEntireLog<Record<string, unknown>>(
    tabwire(),
    id,
    `__typename
    ... on NetworkRequest { url method resourceType status failure fromCache remoteAddress pageId timing { dnsMs connectMs } }
    ... on WebSocketOpened { url }
    ... on WebSocketClosed { url errorMessage framesSent framesReceived }
    ... on ConsoleMessage { text source level }`,
  )
  const of = (kind: string, tell: (node: Record<string, unknown>) => string) =>
    nodes.filter((node) => node['__typename'] === kind).map(tell)
  return {
    requests: of('NetworkRequest', ({ __typename: _, timing: __, ...node }) => hidden(JSON.stringify(node))).sort(),
    phases: of('NetworkRequest', ({ url, timing }) => JSON.stringify({ url, timing })),
    webSockets: of('WebSocketClosed', ({ __typename: _, ...node }) => JSON.stringify(node)).sort(),
    lines: of('ConsoleMessage', ({ source, text }) => `${source as string}: ${text as string}`).sort(),
  }
}
