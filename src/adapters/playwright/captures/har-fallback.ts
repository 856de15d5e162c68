import { createWriteStream, type WriteStream } from 'node:fs'
import type { Header } from 'har-format'
import type { EntryData } from '../../../ports/log-entry.ts'
import type { WholeEntry } from './har-bodies.ts'
import { linesOf } from './json-lines.ts'

type Settled = EntryData['NETWORK_REQUEST']

/**
 * What the log says of requests, as entries of a HAR: without their bodies, but there as soon as they settle. They take
 * the place of Playwright's, which are lost with the browser. Each is written as it comes, so that a long session takes
 * no memory.
 */
export class HarPart {
  readonly #path: string
  readonly #lines: WriteStream
  #failed = false
  #isCut = false
  /** Entries so far. */
  count = 0

  constructor(path: string) {
    this.#path = path
    this.#lines = createWriteStream(path, { mode: 0o600 })
    this.#lines.on('error', () => {
      this.#failed = true
    })
  }

  add(request: Settled): void {
    this.count += 1
    if (!this.#failed && !this.#isCut) this.#lines.write(`${JSON.stringify(harEntry(request))}\n`)
  }

  /** Keeps no further entries. */
  cut(): void {
    this.#isCut = true
  }

  /** All of them, as JSON. Call `close` first. Throws when they could not be kept. */
  async *entries(): AsyncGenerator<string> {
    if (this.#failed) throw new Error('the entries of a HAR could not be kept')
    yield* linesOf(this.#path)
  }

  /** Never rejects. */
  async close(): Promise<void> {
    if (this.#lines.closed) return
    // Also when it fails: after its error.
    const closed = new Promise<void>((resolve) => this.#lines.once('close', resolve))
    this.#lines.end()
    await closed
  }
}

function harEntry(request: Settled): WholeEntry {
  const { url, method, status, failure, startedAt, durationMs, timing } = request
  return {
    startedDateTime: new Date(startedAt).toISOString(),
    time: durationMs,
    request: {
      method,
      url,
      httpVersion: 'unknown',
      cookies: [],
      headers: harHeaders(request.requestHeaders),
      queryString: URL.canParse(url) ? [...new URL(url).searchParams].map(([name, value]) => ({ name, value })) : [],
      headersSize: -1,
      bodySize: request.requestBytes ?? -1,
    },
    response: {
      status: status ?? -1,
      statusText: '',
      httpVersion: 'unknown',
      cookies: [],
      headers: harHeaders(request.responseHeaders ?? {}),
      content: { size: request.responseBytes ?? -1, mimeType: mimeTypeOf(request) },
      redirectURL: '',
      headersSize: -1,
      bodySize: request.responseBytes ?? -1,
      ...(failure === null ? {} : { _failureText: failure }),
    },
    cache: {},
    timings: {
      blocked: timing?.queuedMs ?? -1,
      dns: timing?.dnsMs ?? -1,
      connect: timing?.connectMs ?? -1,
      ssl: timing?.tlsMs ?? -1,
      send: 0,
      wait: timing?.waitingMs ?? -1,
      receive: timing?.downloadMs ?? -1,
    },
    comment: 'Of what the log says: without bodies.',
  }
}

const harHeaders = (headers: Record<string, string>): Header[] =>
  Object.entries(headers).map(([name, value]) => ({ name, value }))

function mimeTypeOf({ responseHeaders }: Settled): string {
  const [, type] = Object.entries(responseHeaders ?? {}).find(([name]) => name.toLowerCase() === 'content-type') ?? []
  return type ?? 'x-unknown'
}
