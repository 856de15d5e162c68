import { createWriteStream } from 'node:fs'
import { rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Log } from 'har-format'
import type { BrowserContext } from 'playwright'
import { HAR_LIMITS, type HarLimits } from '../../../ports/artifact.ts'
import type { BrowserFile } from '../../../ports/browser.ts'
import type { EntryData } from '../../../ports/log-entry.ts'
import { openPlainFile } from '../launch/plain-file.ts'
import type { AuthorizationRedaction } from './authorization-redaction.ts'
import { Deadline } from '../../../async/deadline.ts'
import { HarBodies, type WholeEntry } from './har-bodies.ts'
import { HarPart } from './har-fallback.ts'
import { readHar } from './har-reader.ts'

/** In the folder of recordings: what Playwright writes, what we note, and the file that is kept. */
const [WHOLE, BODIES, ENTRIES, RESULT] = ['requests.har', 'har-bodies', 'har-entries', 'session.har'] as const
export const HAR_FILES: ReadonlySet<string> = new Set([WHOLE, BODIES, ENTRIES, RESULT])

const URL_LENGTH = 1_000
const END = '\n]}}\n'
/** A body takes a third more as base64. */
const BODY_SHARE = 0.7
const BATCH_LENGTH = 256 * 1024

/**
 * A HAR, which is Playwright's up to a number of requests and bytes: it keeps its entries in memory until it is
 * stopped. Later requests are told of without their bodies, and all are when the browser has taken Playwright's along.
 * Bodies lie on the disk until the end, when they are put where the format wants them, one at a time.
 */
export class HarRecording {
  readonly #folder: string
  readonly #limits: HarLimits
  readonly #part: HarPart
  /** Null: nothing in it is secret. */
  redaction: AuthorizationRedaction | null = null
  #context: BrowserContext | null = null
  #bodyBytes = 0
  /** What the file may have in all. */
  #maxBytes = () => Number.POSITIVE_INFINITY
  #stopping: Promise<true | null> | null = null
  #isFull = false
  #hasBodies = true

  constructor(folder: string, limits: HarLimits = HAR_LIMITS) {
    this.#folder = folder
    this.#limits = limits
    this.#part = new HarPart(join(folder, ENTRIES))
  }

  async start(context: BrowserContext): Promise<void> {
    this.#context = context
    await context.tracing.startHar(this.#whole, { content: 'attach', resourcesDir: join(this.#folder, BODIES) })
  }

  note(request: EntryData['NETWORK_REQUEST']): void {
    this.#part.add(request)
    this.#bodyBytes += request.responseBytes ?? 0
    this.#isFull ||= this.#part.count >= this.#limits.requests || this.#bodyBytes >= this.#limits.bodyBytes
    if (this.#isFull) void this.#stop()
  }

  /** `maxBytes`: what the file may have in all, as things stand when it is made. */
  limit(maxBytes: () => number): void {
    this.#maxBytes = maxBytes
  }

  /** Records nothing from now on; what there is can be finished. */
  cut(): void {
    this.#isFull = true
    this.#part.cut()
    void this.#stop()
  }

  /** Gives up the bodies, those to come included: the file has its requests alone. */
  dropBodies(): void {
    this.#isFull = true
    this.#hasBodies = false
    const drop = () => rm(join(this.#folder, BODIES), { recursive: true, force: true })
    void this.#stop()
      .then(drop)
      .catch(() => undefined)
  }

  async finish(deadlineMs: number): Promise<BrowserFile> {
    const until = performance.now() + deadlineMs
    const isWhole = (await Deadline.result(this.#stop(), deadlineMs)) === true && this.#hasBodies
    await this.#part.close()
    const path = join(this.#folder, RESULT)
    const pieces = isWhole ? this.#wholePieces(until) : this.#partPieces()
    await pipeline(Readable.from(inBatches(pieces)), createWriteStream(path, { mode: 0o600 }))
    return {
      kind: 'HAR',
      name: 'requests.har',
      contentType: 'application/json',
      pageId: null,
      open: () => openPlainFile(path),
    }
  }

  /** Never rejects. */
  dispose(): Promise<void> {
    return this.#part.close()
  }

  get #whole(): string {
    return join(this.#folder, WHOLE)
  }

  #stop(): Promise<true | null> {
    this.#stopping ??= this.#context!.tracing.stopHar().then(
      () => true,
      () => null,
    )
    return this.#stopping
  }

  async *#wholePieces(until: number): AsyncGenerator<string> {
    const { size: withoutBodies } = await stat(this.#whole)
    const room = Math.max(0, (this.#maxBytes() - withoutBodies) * BODY_SHARE)
    const bodies = new HarBodies(this.#folder, Math.min(this.#limits.bodyBytes, room), until)
    const whole = new Set<string>()
    const open = new Map<string, WholeEntry>()
    const separator = separators()
    let isHead = true
    for await (const piece of readHar(this.#whole)) {
      if (isHead) {
        yield piece
        isHead = false
        continue
      }
      const entry = JSON.parse(piece) as WholeEntry
      this.redaction?.archived(entry.request)
      if (this.#isFull && isOpen(entry)) {
        open.set(keyOf(entry), entry)
        continue
      }
      whole.add(keyOf(entry))
      yield separator()
      yield* bodies.embed(entry)
    }
    if (this.#isFull) {
      // The log knows how it ended, if it did, and what came when Playwright had been stopped.
      for await (const line of this.#part.entries()) {
        const entry = JSON.parse(line) as WholeEntry
        // It rounds times that Playwright cuts off.
        const keys = [keyOf(entry), keyOf(entry, 1)]
        if (keys.some((key) => whole.has(key))) continue
        for (const key of keys) open.delete(key)
        yield `${separator()}${line}`
      }
      for (const entry of open.values()) {
        yield separator()
        yield* bodies.embed(entry)
      }
    }
    yield END
  }

  async *#partPieces(): AsyncGenerator<string> {
    const creator = { name: 'Tabwire', version: '1' }
    const browser = { name: 'Chromium', version: this.#context!.browser()?.version() ?? 'unknown' }
    const head: Omit<Log, 'entries'> = { version: '1.2', creator, browser, pages: [] }
    yield `{"log":${JSON.stringify(head).slice(0, -1)},"entries":[`
    const separator = separators()
    for await (const line of this.#part.entries()) yield `${separator()}${line}`
    yield END
  }
}

/** What stands before each element of an array. */
function separators(): () => string {
  let isFirst = true
  return () => {
    const separator = isFirst ? '\n' : ',\n'
    isFirst = false
    return separator
  }
}

const isOpen = ({ response }: WholeEntry) => response.status === -1 && response._failureText === undefined

/** Which request it is, or one that began so many milliseconds earlier, whoever tells of it. Long addresses are cut in the log. */
function keyOf({ startedDateTime, request: { method, url } }: WholeEntry, earlierMs = 0): string {
  return `${Date.parse(startedDateTime) - earlierMs} ${method} ${url.slice(0, URL_LENGTH)}`
}

/** Each piece by itself would cost a write. */
async function* inBatches(pieces: AsyncIterable<string>): AsyncGenerator<string> {
  let batch = ''
  for await (const piece of pieces) {
    batch += piece
    if (batch.length < BATCH_LENGTH) continue
    yield batch
    batch = ''
  }
  yield batch
}
