import { once } from 'node:events'
import { createReadStream, createWriteStream, type WriteStream } from 'node:fs'
import { appendFile, writeFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import type { EntryData } from '../../../ports/log-entry.ts'

type Settled = EntryData['NETWORK_REQUEST']

/**
 * A HAR of what the log says of requests: without their bodies, but there as soon as they settle. It takes the place of
 * Playwright's, which is lost with the browser. Each entry is written as it comes, so that a long session takes no memory.
 */
export class HarPart {
  readonly #entriesPath: string
  readonly #entries: WriteStream
  #failed = false

  constructor(entriesPath: string) {
    this.#entriesPath = entriesPath
    this.#entries = createWriteStream(entriesPath, { mode: 0o600 })
    this.#entries.on('error', () => {
      this.#failed = true
    })
  }

  add(request: Settled): void {
    if (!this.#failed) this.#entries.write(`${JSON.stringify(harEntry(request))}\n`)
  }

  /** Writes the HAR; rejects when the entries could not be kept. */
  async write(path: string, browserVersion: string): Promise<void> {
    await this.close()
    if (this.#failed) throw new Error('the entries of a HAR could not be kept')
    const creator = { name: 'Tabwire', version: '1' }
    const head = { version: '1.2', creator, browser: { name: 'Chromium', version: browserVersion }, pages: [] }
    await writeFile(path, `{"log":${JSON.stringify(head).slice(0, -1)},"entries":[`, { mode: 0o600 })
    let separator = ''
    for await (const line of createInterface({ input: createReadStream(this.#entriesPath) })) {
      await appendFile(path, `${separator}\n${line}`)
      separator = ','
    }
    await appendFile(path, '\n]}}\n')
  }

  async close(): Promise<void> {
    if (this.#entries.closed || this.#failed) return
    this.#entries.end()
    await once(this.#entries, 'close')
  }
}

function harEntry(request: Settled) {
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
      dns: timing?.dnsMs ?? -1,
      connect: timing?.connectMs ?? -1,
      ssl: timing?.tlsMs ?? -1,
      send: 0,
      wait: timing?.waitingMs ?? -1,
      receive: timing?.downloadMs ?? -1,
    },
    comment: 'Without bodies: the browser ended before they could be kept.',
  }
}

const harHeaders = (headers: Record<string, string>) =>
  Object.entries(headers).map(([name, value]) => ({ name, value }))

function mimeTypeOf({ responseHeaders }: Settled): string {
  const [, type] = Object.entries(responseHeaders ?? {}).find(([name]) => name.toLowerCase() === 'content-type') ?? []
  return type ?? 'x-unknown'
}
