import type { Browser, ConsoleMessage } from 'playwright'
import type { GraphqlClient } from './graphql-client.ts'
import { readLine, readObject, type LinesWanted, type LocalSite, type LoggedLine } from './local-site.ts'
import { untilWarm } from './warm-pool.ts'

export interface LinesReceived {
  /** From the signal to the page until the last line was received. */
  elapsedMs: number
  /** For each line, from the page's call of console.log until the listener received it. */
  delaysMs: number[]
}

/** Far longer than any run takes: lines missing by then will never arrive. */
const TIMEOUT_MS = 90_000

let runs = 0
const nameRun = () => `${process.pid}-${(runs += 1)}`

/** Receives lines, which must arrive in order, each once. */
class Listener {
  readonly #count: number
  readonly #delaysMs: number[] = []
  readonly #all = Promise.withResolvers<number>()
  /** Offset from performance.now() to the time of day, measured for each run: the two clocks drift apart. */
  readonly #clockOffset = measureClockOffset()

  constructor(count: number) {
    this.#count = count
    // It may reject before it is awaited.
    this.#all.promise.catch(() => {})
  }

  /** Null for a line that the page did not log itself. */
  receive(line: LoggedLine | null): void {
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

  async received(begunAt: number): Promise<LinesReceived> {
    const timer = setTimeout(() => {
      this.fail(new Error(`only ${this.#delaysMs.length} of ${this.#count} lines came`))
    }, TIMEOUT_MS)
    try {
      return { elapsedMs: (await this.#all.promise) - begunAt, delaysMs: this.#delaysMs }
    } finally {
      clearTimeout(timer)
    }
  }
}

/** Date.now() counts whole milliseconds: the moment of its next tick is known more precisely. */
function measureClockOffset(): number {
  const before = Date.now()
  let now = before
  while (now === before) now = Date.now()
  return now - performance.now()
}

/**
 * The minimum that a console recorder must do: read text, location and type of each message, and release its
 * arguments, which the browser would otherwise keep forever. A recorder of objects requests the value of each
 * instead.
 */
export async function receiveBare(browser: Browser, site: LocalSite, wanted: LinesWanted): Promise<LinesReceived> {
  const run = nameRun()
  const context = await browser.newContext()
  try {
    const page = await context.newPage()
    const listener = new Listener(wanted.count)
    let kept = ''
    page.on('console', (message) => {
      const { url, lineNumber } = message.location()
      kept = `${message.type()} ${url} ${lineNumber}`
      if (wanted.logs === 'objects') return void receiveValues(message, listener)
      listener.receive(readLine(message.text()))
      for (const argument of message.args()) void argument.dispose().catch(() => {})
    })
    await page.goto(site.pageOf(run, wanted))
    await site.waiting(run)
    const received = await listener.received(site.go(run))
    if (!kept.startsWith('log http')) throw new Error(`a line came without its type or place: ${kept}`)
    return received
  } finally {
    await context.close()
  }
}

async function receiveValues(message: ConsoleMessage, listener: Listener): Promise<void> {
  try {
    const [value] = await Promise.all(message.args().map((argument) => argument.jsonValue()))
    listener.receive(readObject(value))
  } catch (error) {
    listener.fail(error)
  }
}

const START = `mutation ($input: StartSessionInput!) { startSession(input: $input, waitUntil: RUNNING) { id status } }`
const FOLLOW = `subscription ($id: ID!, $withArguments: Boolean!) {
  consoleMessages(sessionId: $id) {
    entries { sequence level text location { url line column } arguments @include(if: $withArguments) } dropped
  }
}`
const COUNT = `query ($id: ID!) { session(id: $id) { consoleMessageCount } }`
const END = `mutation ($id: ID!) { terminateSession(id: $id) { id } }`

interface Entry {
  sequence: number
  text: string
  /** For an object: its members, by name. */
  arguments?: { properties: { name: string; value?: unknown }[] }[]
}

interface Batch {
  consoleMessages: { entries: Entry[]; dropped: number }
}

/**
 * The same lines through the server: a session opens the page, and a subscriber receives each line once it is
 * committed. `follower`: where it subscribes, if not where the session is started.
 */
export async function receiveThroughServer(
  client: GraphqlClient,
  site: LocalSite,
  wanted: LinesWanted,
  follower: GraphqlClient = client,
): Promise<LinesReceived> {
  const run = nameRun()
  const input = { initialPrompt: site.pageOf(run, wanted) }
  const { startSession } = await client.query<{ startSession: { id: string; status: string } }>(START, { input })
  const { id, status } = startSession
  if (status !== 'RUNNING') throw new Error(`the session is ${status}`)
  const listener = new Listener(wanted.count)
  const batches = follower.subscribe<Batch>(FOLLOW, { id, withArguments: wanted.logs === 'objects' })
  const following = follow(batches, listener)
  try {
    await site.waiting(run)
    await untilWarm(client)
    const received = await listener.received(site.go(run))
    const { session } = await client.query<{ session: { consoleMessageCount: number } }>(COUNT, { id })
    if (session.consoleMessageCount !== wanted.count)
      throw new Error(`${session.consoleMessageCount} lines are committed`)
    return received
  } finally {
    await client.query(END, { id })
    await following
  }
}

/** Runs until the session has ended. */
async function follow(batches: AsyncIterable<Batch>, listener: Listener): Promise<void> {
  try {
    for await (const { consoleMessages } of batches) {
      if (consoleMessages.dropped > 0) throw new Error(`${consoleMessages.dropped} lines were dropped`)
      for (const { text, arguments: values } of consoleMessages.entries) {
        listener.receive(values ? readObject(membersOf(values)) : readLine(text))
      }
    }
  } catch (error) {
    listener.fail(error)
  }
}

function membersOf([value]: NonNullable<Entry['arguments']>): object {
  return Object.fromEntries(value?.properties.map((member) => [member.name, member.value]) ?? [])
}
