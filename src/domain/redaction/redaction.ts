import { setImmediate as yieldToOthers } from 'node:timers/promises'
import type { RedactionRules } from '../../ports/sessions/redaction.ts'
import { maskFormFields, maskMultipartFields } from './form-fields.ts'
import { maskJsonValues } from './json-values.ts'
import { MASK, maskAll, type Find, type Match } from './mask.ts'
import { PatternMask } from './pattern-mask.ts'
import { TypedSecrets } from './typed-secrets.ts'

/** Amount of a body that is searched at a time; others run in between. */
const STEP_CHARACTERS = 64 * 1024
/** A match may begin in one chunk and end in the next; a longer match may be missed. */
const OVERLAP_CHARACTERS = 8 * 1024
/** CPU time limit per body: all sessions share the thread. */
const BODY_MS = 1_000
/** Of a URL that is remembered with how it is masked. */
const REPEATED_CHARACTERS = 2_048
const YIELD_AFTER_MS = 10

/** The body cannot be searched in reasonable time. */
export class RedactionTooSlow extends Error {
  override readonly name = 'RedactionTooSlow'
}

/** User and password of a URL, anywhere in a text. */
const CREDENTIALS_IN_TEXT = /(:\/\/)[^\s/?#"'<>\\@:]{0,256}:[^\s/?#"'<>\\@]{0,1024}@/g
const URL_IN_TEXT = /\b(?:http|ws)s?:\/\/[^\s"'<>]+/gi
/** What follows a URL in stacks and sentences: line and column, punctuation. */
const AFTER_URL = /(?::\d+){0,2}[).,:;]*$/
/** It may look like a part of the URL, which may be long. */
const AFTER_CHARACTERS = 40
const CREDENTIALS_OF_URL = /^([a-z][a-z0-9+.-]*:\/\/)[^/?#\\]*@/i
const URL_HEADERS: ReadonlySet<string> = new Set(['referer', 'location', 'content-location'])
const SCHEME = /^[A-Za-z][A-Za-z0-9-]*(?= )/

const lowerCase = (names: readonly string[]): ReadonlySet<string> => new Set(names.map((name) => name.toLowerCase()))

/** Masks secrets in the log of one session, before entries are stored or hashed. */
export class Redaction {
  readonly #headers: ReadonlySet<string>
  readonly #jsonKeys: ReadonlySet<string>
  readonly #parameters: ReadonlySet<string>
  readonly #patterns: PatternMask | null
  readonly #secrets = new TypedSecrets()
  /** As it was masked with the secrets of then. */
  #lastUrl = { given: '', masked: '', version: 0 }
  #lastMessage = { given: '', masked: '', version: 0 }

  /** Throws if a pattern is not valid in RE2: inputs are checked. */
  constructor({ headers, jsonKeys, urlParameters, patterns }: RedactionRules) {
    this.#headers = lowerCase(headers)
    this.#jsonKeys = lowerCase(jsonKeys)
    this.#parameters = lowerCase(urlParameters)
    this.#patterns = patterns.length === 0 ? null : new PatternMask(patterns)
  }

  /**
   * Masks a text that is about to be typed into a page, from now on, if it is long enough to be distinguishable.
   * Returns a function that undoes this, if the text turns out not to be secret.
   */
  expectSecret(text: string): () => void {
    return this.#secrets.add(text)
  }

  /** A short text, such as a console message. The same string if nothing is masked. */
  text(text: string): string {
    const masked = text.includes('://') ? text.replace(CREDENTIALS_IN_TEXT, `$1${MASK}@`) : text
    const secretless = this.#secrets.mask(masked)
    return this.#patterns ? this.#patterns.mask(secretless) : secretless
  }

  /** A text that repeats URLs, such as a stack or the message of an error. */
  message(text: string): string {
    // Without these no URL has anything to mask.
    const mayHold = text.includes('://') && /[?#@]/.test(text)
    if (!mayHold) return this.text(text)
    // An error repeats its stack, and a flood of errors has the same one.
    if (text !== this.#lastMessage.given || this.#secrets.version !== this.#lastMessage.version) {
      const masked = this.text(text.replace(URL_IN_TEXT, (url) => this.#urlInText(url)))
      this.#lastMessage = { given: text, masked, version: this.#secrets.version }
    }
    return this.#lastMessage.masked
  }

  /** The same for the strings of a JSON-like value, at any depth. */
  messages<T>(value: T): T {
    return this.#deep(value, (text) => this.message(text)) as T
  }

  url(url: string): string {
    if (url.length > REPEATED_CHARACTERS) return this.#maskedUrl(url)
    // Lines of a page name the same one again and again.
    if (url !== this.#lastUrl.given || this.#secrets.version !== this.#lastUrl.version) {
      this.#lastUrl = { given: url, masked: this.#maskedUrl(url), version: this.#secrets.version }
    }
    return this.#lastUrl.masked
  }

  #maskedUrl(url: string): string {
    const withoutUser = url.includes('@') ? url.replace(CREDENTIALS_OF_URL, `$1${MASK}@`) : url
    return this.text(this.#withoutParameters(withoutUser))
  }

  /** By name, case-insensitive. */
  headers(headers: Readonly<Record<string, string>>): Record<string, string> {
    let changed: Record<string, string> | null = null
    for (const [name, value] of Object.entries(headers)) {
      const masked = this.#header(name.toLowerCase(), value)
      if (masked !== value) (changed ??= { ...headers })[name] = masked
    }
    return changed ?? headers
  }

  /** Whether the whole value of a header is masked. The name is in lower case. */
  hides(header: string): boolean {
    return this.#headers.has(header)
  }

  /** Strings of a JSON-like value, at any depth. The same value if nothing is masked. */
  json<T>(value: T): T {
    return (this.#hasTexts ? this.#deep(value, (text) => this.text(text)) : value) as T
  }

  /** A whole body, or its beginning. In steps, so that a large one does not block others. Throws RedactionTooSlow. */
  async body(bytes: Uint8Array, contentType: string | null, isText: boolean): Promise<Uint8Array> {
    const type = contentType?.split(';')[0]!.trim().toLowerCase() ?? ''
    const isMultipart = type.startsWith('multipart/')
    if (!isText && !isMultipart && this.#secrets.isEmpty) return bytes
    const encoding = isText ? 'utf8' : 'latin1'
    const original = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString(encoding)
    let text = original
    const work = new BoundedWork()
    if (isMultipart) text = maskMultipartFields(text, contentType!, this.#parameters)
    else if (type === 'application/x-www-form-urlencoded') text = maskFormFields(text, this.#parameters)
    else if (isText && this.#jsonKeys.size > 0 && mayHoldJson(type, text)) text = maskJsonValues(text, this.#jsonKeys)
    await work.pause()
    if (isText || isMultipart) {
      text = await this.#inPieces(text, work, credentialsIn)
    }
    const patterns = (isText || isMultipart) && this.#patterns ? this.#patterns.each : []
    for (const find of [...this.#secrets.each, ...patterns]) text = await this.#inPieces(text, work, find)
    return text === original ? bytes : Buffer.from(text, encoding)
  }

  get #hasTexts(): boolean {
    return !this.#secrets.isEmpty || this.#patterns !== null
  }

  #header(name: string, value: string): string {
    if (this.#headers.has(name)) return maskHeader(name, value)
    return URL_HEADERS.has(name) ? this.url(value) : this.text(value)
  }

  #withoutParameters(url: string): string {
    const at = url.search(/[?#]/)
    if (at < 0 || this.#parameters.size === 0) return url
    const parts = url.slice(at).split('#')
    // A fragment may contain parameters, or a path with some.
    const masked = parts.map((part) => {
      const from = part.indexOf('?') + 1
      return part.slice(0, from) + maskFormFields(part.slice(from), this.#parameters)
    })
    return url.slice(0, at) + masked.join('#')
  }

  #urlInText(text: string): string {
    const tail = text.slice(-AFTER_CHARACTERS)
    const end = text.length - tail.length + tail.search(AFTER_URL)
    return this.url(text.slice(0, end)) + text.slice(end)
  }

  #deep(value: unknown, mask: (text: string) => string): unknown {
    if (typeof value === 'string') return mask(value)
    if (typeof value !== 'object' || value === null) return value
    if (Array.isArray(value)) {
      const items = value.map((item) => this.#deep(item, mask))
      return items.every((item, index) => item === value[index]) ? value : items
    }
    const members = Object.entries(value)
    const masked = members.map(([name, member]) => [name, this.#deep(member, mask)] as const)
    return masked.every(([, member], index) => member === members[index]![1]) ? value : Object.fromEntries(masked)
  }

  async #inPieces(text: string, work: BoundedWork, find: Find): Promise<string> {
    const found: Match[] = []
    let done = 0
    for (let at = 0; at < text.length;) {
      const until = at + STEP_CHARACTERS
      // Includes the previous character, for patterns with word boundaries.
      const matches = find(text, Math.max(0, at - 1), until + OVERLAP_CHARACTERS)
      for (const match of matches) {
        if (match.start < Math.max(done, at) || match.start >= until) continue
        found.push(match)
        done = match.end
      }
      at = Math.max(until, done)
      await work.pause()
    }
    return maskAll(text, found)
  }
}

const credentialsIn: Find = (text, from, until) =>
  [...text.slice(from, until).matchAll(CREDENTIALS_IN_TEXT)].map(({ 0: found, index }) => {
    const start = from + index
    return { start: start + '://'.length, end: start + found.length - '@'.length }
  })

/** The scheme of credentials and the names of cookies help with debugging, and are not secret. */
function maskHeader(name: string, value: string): string {
  if (name === 'cookie') return value.replace(/=[^;\n]*/g, `=${MASK}`)
  if (name === 'set-cookie') return value.replace(/^([^=;\n]*=)[^;\n]*/gm, `$1${MASK}`)
  const scheme = name.endsWith('authorization') ? SCHEME.exec(value)?.[0] : undefined
  return scheme === undefined ? MASK : `${scheme} ${MASK}`
}

const PROGRAMS = /html|javascript|ecmascript|css|xml|wasm/

function mayHoldJson(type: string, text: string): boolean {
  return /json/.test(type) || !PROGRAMS.test(type) || /^\s*[[{]/.test(text.slice(0, 100))
}

/** Measures its CPU time, and yields to others. */
class BoundedWork {
  readonly #began = cpuMs()
  #startedAt = performance.now()
  #others = 0

  async pause(): Promise<void> {
    if (cpuMs() - this.#began - this.#others > BODY_MS) {
      throw new RedactionTooSlow('the body takes too long to search')
    }
    if (performance.now() - this.#startedAt < YIELD_AFTER_MS) return
    const before = cpuMs()
    await yieldToOthers()
    this.#others += cpuMs() - before
    this.#startedAt = performance.now()
  }
}

/** Of this thread. Wall-clock time would include other work of the machine. */
function cpuMs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}
