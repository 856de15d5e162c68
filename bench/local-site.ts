import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface LinesWanted {
  count: number
  /** 0: all at once. */
  everyMs: number
  /** Argument of each call: a text, or an object. Default: texts. */
  logs?: 'texts' | 'objects'
}

/**
 * Pages that log lines on a signal. A page waits for the response to `/go`, so that a run begins at a known moment,
 * with the page loaded and all listeners in place, for a bare listener and the server alike.
 */
export interface LocalSite {
  /** A page that loads at once and does nothing. */
  still: string
  /** Page that logs `count` lines: all at once, or one every `everyMs`. */
  pageOf(run: string, wanted: LinesWanted): string
  /** Page that fetches `count` JSON documents, all at once. */
  fetchesOf(run: string, count: number): string
  /** Resolves when the page of this run has received all responses. Call before `go`. */
  finished(run: string): Promise<void>
  /** Resolves when the page of this run is loaded and waiting. */
  waiting(run: string): Promise<void>
  /** Signals the page of this run to begin; returns the moment, as of performance.now(). */
  go(run: string): number
  close(): Promise<void>
}

/** Text of a line: its number, and its time in milliseconds since the epoch with fractions. */
const SCRIPT = `
const { run, count, everyMs, logs } = Object.fromEntries(new URLSearchParams(location.search))
const now = () => performance.timeOrigin + performance.now()
const logText = (number) =>
  console.log(\`\${number} \${now()} the list of items was loaded and shown to whoever asked\`)
const logObject = (number) =>
  console.log({ number, at: now(), event: 'list loaded', user: { id: 17, name: 'Ann' }, tags: ['new', 'sale'], isShown: true })
const log = logs === 'objects' ? logObject : logText
await fetch('/go?run=' + run)
if (everyMs === '0') for (let number = 0; number < Number(count); number += 1) log(number)
else {
  let number = 0
  const timer = setInterval(() => {
    log(number)
    number += 1
    if (number === Number(count)) clearInterval(timer)
  }, Number(everyMs))
}`

const PAGE = `<!doctype html><title>lines</title><link rel="icon" href="data:,"><script type="module">${SCRIPT}</script>`

export const FETCHED_PATH = '/fetched/'

const FETCHING = `
const { run, count } = Object.fromEntries(new URLSearchParams(location.search))
await fetch('/go?run=' + run)
const fetchOne = async (number) => (await fetch('${FETCHED_PATH}' + number)).json()
await Promise.all(Array.from({ length: Number(count) }, (_, number) => fetchOne(number)))
await fetch('/finished?run=' + run)`

const FETCHING_PAGE = `<!doctype html><title>fetches</title><link rel="icon" href="data:,"><script type="module">${FETCHING}</script>`

/** About 2 kB. */
const FETCHED = JSON.stringify({
  items: Array.from({ length: 20 }, (_, id) => ({
    id,
    name: `Item ${id} of the list`,
    price: id * 1.25,
    tags: ['new', 'sale'],
  })),
})

const STILL = '<!doctype html><title>still</title><link rel="icon" href="data:,"><p>nothing happens here'

/** Number of a logged line and when the page logged it. */
export interface LoggedLine {
  number: number
  at: number
}

/** Null for a line that the page did not log itself. */
export function readLine(text: string): LoggedLine | null {
  const match = /^(\d+) ([\d.]+) the list/.exec(text)
  return match && { number: Number(match[1]), at: Number(match[2]) }
}

/** The same for a logged object. */
export function readObject(value: unknown): LoggedLine | null {
  const { number, at, event } = value as Partial<LoggedLine & { event: string }>
  return event === 'list loaded' && number !== undefined && at !== undefined ? { number, at } : null
}

export async function startLocalSite(): Promise<LocalSite> {
  const held = new Map<string, ServerResponse>()
  const awaited = new Map<string, () => void>()
  const finishing = new Map<string, () => void>()
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost')
    if (url.pathname === '/still') {
      response.writeHead(200, { 'content-type': 'text/html' }).end(STILL)
      return
    }
    if (url.pathname === '/lines') {
      response.writeHead(200, { 'content-type': 'text/html' }).end(PAGE)
      return
    }
    if (url.pathname === '/fetches') {
      response.writeHead(200, { 'content-type': 'text/html' }).end(FETCHING_PAGE)
      return
    }
    if (url.pathname.startsWith(FETCHED_PATH)) {
      response.writeHead(200, { 'content-type': 'application/json' }).end(FETCHED)
      return
    }
    if (url.pathname === '/finished') {
      response.end()
      finishing.get(url.searchParams.get('run') ?? '')?.()
      return
    }
    if (url.pathname !== '/go') {
      response.writeHead(404).end()
      return
    }
    const run = url.searchParams.get('run') ?? ''
    held.set(run, response)
    awaited.get(run)?.()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  return {
    still: `${origin}/still`,
    pageOf: (run, { count, everyMs, logs = 'texts' }) =>
      `${origin}/lines?run=${run}&count=${count}&everyMs=${everyMs}&logs=${logs}`,
    fetchesOf: (run, count) => `${origin}/fetches?run=${run}&count=${count}`,
    finished: (run) => {
      const { promise, resolve } = Promise.withResolvers<void>()
      finishing.set(run, () => {
        finishing.delete(run)
        resolve()
      })
      return promise
    },
    waiting: async (run) => {
      if (held.has(run)) return
      const { promise, resolve } = Promise.withResolvers<void>()
      awaited.set(run, resolve)
      await promise
      awaited.delete(run)
    },
    go: (run) => {
      const response = held.get(run)
      if (!response) throw new Error(`the page of run ${run} is not waiting`)
      held.delete(run)
      response.end()
      return performance.now()
    },
    close: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
