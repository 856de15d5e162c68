import type { Browser } from 'playwright'
import { milliseconds, type Benchmark } from './benchmark.ts'
import type { GraphqlClient } from './graphql-client.ts'
import { percentile } from './measure.ts'
import { delayOf, sendMessages, startSocketSite, type SocketSite } from './socket-site.ts'
import { untilWarm } from './warm-pool.ts'

const PER_SECOND = 5_000
const COUNT = 10 * PER_SECOND
const ROUNDS = 2
/** Number of messages for the warm-up, in which all code is loaded and compiled. */
const WARM_UP = PER_SECOND

/** Milliseconds from sending each message until the listener received it. */
type Delays = number[]

async function receiveBare(browser: Browser, site: SocketSite, count: number): Promise<Delays> {
  const context = await browser.newContext()
  try {
    const page = await context.newPage()
    const delays: Delays = []
    const all = Promise.withResolvers<void>()
    page.on('websocket', (socket) => {
      socket.on('framereceived', ({ payload }) => {
        const delay = delayOf(String(payload), performance.now())
        if (delay !== null) delays.push(delay)
        if (delays.length === count - 1) all.resolve()
      })
    })
    const connected = site.connected()
    await page.goto(site.page)
    await sendMessages(await connected, count, PER_SECOND)
    await all.promise
    return delays
  } finally {
    await context.close()
  }
}

const START = `mutation ($input: StartSessionInput!) { startSession(input: $input, waitUntil: RUNNING) { id } }`
const FOLLOW = `subscription ($id: ID!) {
  sessionEvents(sessionId: $id, kinds: [WEB_SOCKET_MESSAGES, WEB_SOCKET_CLOSED]) {
    dropped
    entries {
      ... on WebSocketMessages { omittedReceived messages { at direction opcode sizeBytes text } }
      ... on WebSocketClosed { omittedReceived framesReceived }
    }
  }
}`
const END = `mutation ($id: ID!) { terminateSession(id: $id) { id } }`

interface Batch {
  sessionEvents: {
    dropped: number
    entries: { omittedReceived: number; messages?: { text: string }[]; framesReceived?: number }[]
  }
}

/**
 * The same through the server: a subscriber receives each message once it is committed. Each is stored or counted.
 */
async function receiveThroughServer(client: GraphqlClient, site: SocketSite, count: number): Promise<Delays> {
  const connected = site.connected()
  const { startSession } = await client.query<{ startSession: { id: string } }>(START, {
    input: { initialPrompt: site.page },
  })
  const { id } = startSession
  try {
    const socket = await connected
    await untilWarm(client)
    const received = follow(client.subscribe<Batch>(FOLLOW, { id }), count)
    // It may reject while messages are still being sent.
    received.catch(() => {})
    await sendMessages(socket, count, PER_SECOND)
    return await received
  } finally {
    await client.query(END, { id })
  }
}

async function follow(batches: AsyncIterable<Batch>, count: number): Promise<Delays> {
  const delays: Delays = []
  let stored = 0
  let omitted = 0
  for await (const { sessionEvents } of batches) {
    const now = performance.now()
    if (sessionEvents.dropped > 0) throw new Error(`${sessionEvents.dropped} entries were dropped`)
    for (const { messages = [], omittedReceived, framesReceived } of sessionEvents.entries) {
      omitted += omittedReceived
      stored += messages.length
      for (const { text } of messages) delays.push(delayOf(text, now) ?? 0)
      if (framesReceived === undefined) continue
      if (stored + omitted !== count) {
        throw new Error(`${stored} messages were stored and ${omitted} counted, of ${count}; ${framesReceived} came`)
      }
      return delays
    }
  }
  throw new Error('the session ended before its WebSocket')
}

/** Five thousand messages a second for ten seconds, from the page's server to the subscriber. */
export const socketMessages: Benchmark = {
  name: 'socket-messages',
  async run({ browser, meter, startServer }) {
    await using opened = new AsyncDisposableStack()
    const site = opened.adopt(await startSocketSite(), (started) => started.close())
    const { client } = await startServer()
    await receiveBare(browser, site, WARM_UP)
    await receiveThroughServer(client, site, WARM_UP)
    const bare: Delays[] = []
    const served: Delays[] = []
    for (let round = 0; round < ROUNDS; round += 1) {
      bare.push(await meter.during('baseline', () => receiveBare(browser, site, COUNT)))
      served.push(await meter.during('measured', () => receiveThroughServer(client, site, COUNT)))
    }
    const p99 = (delays: Delays) => percentile(delays, 0.99)
    const differences = bare.map((delays, round) => p99(served[round]!) - p99(delays))
    return [
      {
        id: 'socket-messages-p99',
        what: '5,000 WebSocket messages a second for 10 s, each stored or counted: server of the page → subscriber, p99',
        baseline: milliseconds(p99(bare.flat())),
        measured: milliseconds(p99(served.flat())),
        figure: p99(served.flat()) - p99(bare.flat()),
        unit: 'ms more',
        must: 75,
        aim: 60,
        spread: [Math.min(...differences), Math.max(...differences)],
      },
    ]
  },
}
