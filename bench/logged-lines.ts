import type { Browser } from 'playwright'
import type { GraphqlClient } from './graphql-client.ts'
import { readLine, type LocalSite } from './local-site.ts'
import { untilWarm } from './warm-pool.ts'

export interface LinesWanted {
  count: number
  /** 0: all at once. */
  everyMs: number
}

export interface LinesHeard {
  /** From letting the page begin until the last line was there. */
  elapsedMs: number
  /** Of each line, from the page's call of console.log until the listener had it. */
  delaysMs: number[]
}

/** Far longer than any run takes: what is missing by then will not come. */
const PATIENCE_MS = 90_000

let runs = 0
const nameRun = () => `${process.pid}-${(runs += 1)}`

/** Takes the lines as they come; they must come in order, each once. */
class Listener {
  readonly #count: number
  readonly #delaysMs: number[] = []
  readonly #all = Promise.withResolvers<number>()
  /** What to add to performance.now() for the time of day, taken anew for each run: the two clocks drift apart. */
  readonly #clockOffset = measureClockOffset()

  constructor(count: number) {
    this.#count = count
    // It may fail before anyone waits for it.
    this.#all.promise.catch(() => {})
  }

  hear(text: string): void {
    const line = readLine(text)
    if (!line) return
    const now = performance.now()
    if (line.number !== this.#delaysMs.length) {
      this.fail(new Error(`line ${line.number} came where ${this.#delaysMs.length} was due`))
    }
    this.#delaysMs.push(now + this.#clockOffset - line.at)
    if (this.#delaysMs.length === this.#count) this.#all.resolve(now)
  }

  fail(error: unknown): void {
    this.#all.reject(error)
  }

  async heard(begunAt: number): Promise<LinesHeard> {
    const timer = setTimeout(() => {
      this.fail(new Error(`only ${this.#delaysMs.length} of ${this.#count} lines came`))
    }, PATIENCE_MS)
    try {
      return { elapsedMs: (await this.#all.promise) - begunAt, delaysMs: this.#delaysMs }
    } finally {
      clearTimeout(timer)
    }
  }
}

/** Date.now() counts whole milliseconds: the moment at which it moves on is known more exactly. */
function measureClockOffset(): number {
  const before = Date.now()
  let now = before
  while (now === before) now = Date.now()
  return now - performance.now()
}

/**
 * The least that a recorder of the console can do: read text, location and type of each message, and let go of its
 * arguments, which the browser would keep for ever.
 */
export async function hearBare(
  browser: Browser,
  site: LocalSite,
  { count, everyMs }: LinesWanted,
): Promise<LinesHeard> {
  const run = nameRun()
  const context = await browser.newContext()
  try {
    const page = await context.newPage()
    const listener = new Listener(count)
    let kept = ''
    page.on('console', (message) => {
      const { url, lineNumber } = message.location()
      kept = `${message.type()} ${url} ${lineNumber}`
      listener.hear(message.text())
      for (const argument of message.args()) void argument.dispose().catch(() => {})
    })
    await page.goto(site.pageOf(run, count, everyMs))
    await site.waiting(run)
    const heard = await listener.heard(site.go(run))
    if (!kept.startsWith('log http')) throw new Error(`a line came without its type or place: ${kept}`)
    return heard
  } finally {
    await context.close()
  }
}

const START = `mutation ($input: StartSessionInput!) { startSession(input: $input, waitUntil: RUNNING) { id status } }`
const FOLLOW = `subscription ($id: ID!) {
  consoleMessages(sessionId: $id) { entries { sequence level text location { url line column } } dropped }
}`
const COUNT = `query ($id: ID!) { session(id: $id) { consoleMessageCount } }`
const END = `mutation ($id: ID!) { terminateSession(id: $id) { id } }`

interface Batch {
  consoleMessages: { entries: { sequence: number; text: string }[]; dropped: number }
}

/** The same lines through the server: a session opens the page, and a subscriber has each line once it is committed. */
export async function hearThroughServer(
  client: GraphqlClient,
  site: LocalSite,
  { count, everyMs }: LinesWanted,
): Promise<LinesHeard> {
  const run = nameRun()
  const input = { initialPrompt: site.pageOf(run, count, everyMs) }
  const { startSession } = await client.query<{ startSession: { id: string; status: string } }>(START, { input })
  const { id, status } = startSession
  if (status !== 'RUNNING') throw new Error(`the session is ${status}`)
  const listener = new Listener(count)
  const follower = client.subscribe<Batch>(FOLLOW, { id })
  const following = follow(follower, listener)
  try {
    await site.waiting(run)
    await untilWarm(client)
    const heard = await listener.heard(site.go(run))
    const { session } = await client.query<{ session: { consoleMessageCount: number } }>(COUNT, { id })
    if (session.consoleMessageCount !== count) throw new Error(`${session.consoleMessageCount} lines are committed`)
    return heard
  } finally {
    await client.query(END, { id })
    await following
  }
}

/** Until the session has ended. */
async function follow(batches: AsyncIterable<Batch>, listener: Listener): Promise<void> {
  try {
    for await (const { consoleMessages } of batches) {
      if (consoleMessages.dropped > 0) throw new Error(`${consoleMessages.dropped} lines were dropped`)
      for (const { text } of consoleMessages.entries) listener.hear(text)
    }
  } catch (error) {
    listener.fail(error)
  }
}
