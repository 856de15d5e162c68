import { isUtf8 } from 'node:buffer'
import { randomUUID } from 'node:crypto'
import { createReadStream, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Content, Entry, PostData, Request, Response } from 'har-format'
import { linesOf } from './json-lines.ts'

/** Its body lies in a file of this name beside the HAR. */
interface WithFile {
  _file?: string
}

/** An entry as Playwright writes it, and as the log's. */
export interface WholeEntry extends Entry {
  request: Request & { postData?: PostData & WithFile }
  response: Response & { content: Content & WithFile; _failureText?: string }
}

/** A body above it passes through in pieces, as base64. Below, waiting for each would take far longer than reading. */
const AT_ONCE_BYTES = 512 * 1024
const LEFT_OUT = 'Its body is left out: there was no room, or no time, for more.'

/** Puts bodies, which lie in files, into the entries of a HAR, one at a time: as many as it has room for. */
export class HarBodies {
  readonly #folder: string
  readonly #until: number
  #roomBytes: number

  /** No body is put in after `until`, a time of performance.now. */
  constructor(folder: string, roomBytes: number, until: number) {
    this.#folder = folder
    this.#roomBytes = roomBytes
    this.#until = until
  }

  /** The entry with its bodies, as JSON, in pieces. */
  async *embed(entry: WholeEntry): AsyncGenerator<string> {
    this.#embedPost(entry.request.postData)
    const { content } = entry.response
    const { _file: name } = content
    delete content._file
    const size = name === undefined ? null : this.#roomFor(name)
    if (name === undefined || size === null) {
      if (name !== undefined) content.comment = LEFT_OUT
      yield JSON.stringify(entry)
      return
    }
    const path = join(this.#folder, name)
    if (entry._resourceType === 'websocket') {
      yield* spliced((standIn) => ({ ...entry, _webSocketMessages: standIn }), array(path))
    } else if (size <= AT_ONCE_BYTES) {
      const bytes = readFileSync(path)
      const isText = isUtf8(bytes)
      content.text = bytes.toString(isText ? 'utf8' : 'base64')
      if (!isText) content.encoding = 'base64'
      yield JSON.stringify(entry)
    } else {
      content.encoding = 'base64'
      const withText = (text: string) => ({ ...entry, response: { ...entry.response, content: { ...content, text } } })
      yield* spliced(withText, base64(path))
    }
  }

  /** HAR has no way to say that what was posted is no text. */
  #embedPost(post: WholeEntry['request']['postData']): void {
    if (post?._file === undefined) return
    const { _file: name } = post
    delete post._file
    const size = this.#roomFor(name)
    const bytes = size === null || size > AT_ONCE_BYTES ? null : readFileSync(join(this.#folder, name))
    if (bytes && isUtf8(bytes)) post.text = bytes.toString()
    else post.comment = bytes ? 'Its body is left out: it is no text.' : LEFT_OUT
  }

  #roomFor(name: string): number | null {
    if (performance.now() > this.#until) return null
    const { size = Number.POSITIVE_INFINITY } = statSync(join(this.#folder, name), { throwIfNoEntry: false }) ?? {}
    if (size > this.#roomBytes) return null
    this.#roomBytes -= size
    return size
  }
}

/** The JSON of what is made with a stand-in, and the pieces in its place. */
async function* spliced(make: (standIn: string) => object, pieces: AsyncIterable<string>): AsyncGenerator<string> {
  const standIn = randomUUID()
  const [before = '', after = ''] = JSON.stringify(make(standIn)).split(`"${standIn}"`)
  yield before
  yield* pieces
  yield after
}

async function* base64(path: string): AsyncGenerator<string> {
  yield '"'
  let left = Buffer.alloc(0)
  for await (const chunk of createReadStream(path)) {
    const bytes = Buffer.concat([left, chunk as Buffer])
    // Three bytes are four characters.
    const end = bytes.length - (bytes.length % 3)
    yield bytes.toString('base64', 0, end)
    left = bytes.subarray(end)
  }
  yield `${left.toString('base64')}"`
}

/** The lines of a file, which are JSON, as an array. */
async function* array(path: string): AsyncGenerator<string> {
  let separator = '['
  for await (const line of linesOf(path)) {
    yield `${separator}${line}`
    separator = ','
  }
  yield separator === '[' ? '[]' : ']'
}
