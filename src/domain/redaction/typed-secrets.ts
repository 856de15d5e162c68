import { maskAll, type Find, type Match } from './mask.ts'

/** Shorter texts also match too much that is not secret. */
const LEAST_CHARACTERS = 6
/**
 * For a longer text its beginning is matched first, and then how far it continues: an expression for all of it may be
 * too large.
 */
const PIECE_CHARACTERS = 256
/** For all secrets of a session; the oldest are dropped. */
const MAX_SECRETS = 100
const MAX_CHARACTERS = 16_384

/**
 * Texts typed into fields for passwords and the like. Pages send them in any encoding, so each character is matched in
 * every form in which JSON, URLs, forms, HTML and scripts write it. Such an expression contains no repetition: its time
 * is proportional to the text.
 */
export class TypedSecrets {
  /** How often each was typed and not undone. The oldest first. */
  readonly #counts = new Map<string, number>()
  #characters = 0
  #finders: readonly Find[] | null = null
  #version = 0

  /** Another number whenever what is masked has changed. */
  get version(): number {
    return this.#version
  }

  get isEmpty(): boolean {
    return this.#counts.size === 0
  }

  /** Returns a function that undoes this, once. */
  add(text: string): () => void {
    const secret = text.toWellFormed().replaceAll('\r\n', '\n')
    if (charactersOf(secret).length < LEAST_CHARACTERS) return () => {}
    this.#add(secret)
    let isAdded = true
    return () => {
      if (isAdded) this.#remove(secret)
      isAdded = false
    }
  }

  mask(text: string): string {
    let left = text
    for (const find of this.each) left = maskAll(left, find(left, 0, left.length))
    return left
  }

  /** The expression for each. The longest first: one may contain another. */
  get each(): readonly Find[] {
    return (this.#finders ??= [...this.#counts.keys()]
      .toSorted((one, other) => other.length - one.length)
      .map(finderOf))
  }

  #add(secret: string): void {
    const count = this.#counts.get(secret)
    this.#counts.delete(secret)
    this.#counts.set(secret, (count ?? 0) + 1)
    if (count !== undefined) return
    this.#characters += secret.length
    this.#finders = null
    this.#version += 1
    for (const oldest of this.#counts.keys()) {
      const isEnough = this.#characters <= MAX_CHARACTERS && this.#counts.size <= MAX_SECRETS
      if (isEnough || oldest === secret) break
      this.#forget(oldest)
    }
  }

  #remove(secret: string): void {
    const count = this.#counts.get(secret)
    if (count === undefined) return
    if (count > 1) this.#counts.set(secret, count - 1)
    else this.#forget(secret)
  }

  #forget(secret: string): void {
    this.#counts.delete(secret)
    this.#characters -= secret.length
    this.#finders = null
    this.#version += 1
  }
}

const charactersOf = (text: string): string[] => Array.from(text)

function finderOf(secret: string): Find {
  const characters = charactersOf(secret).map((character) => `(?:${formsOf(character).join('|')})`)
  const begins = new RegExp(characters.slice(0, PIECE_CHARACTERS).join(''), 'g')
  const goesOn: RegExp[] = []
  for (let at = PIECE_CHARACTERS; at < characters.length; at += PIECE_CHARACTERS) {
    goesOn.push(new RegExp(characters.slice(at, at + PIECE_CHARACTERS).join(''), 'y'))
  }
  return (text, from, until) => {
    const found: Match[] = []
    let done = from
    for (const { 0: beginning, index } of text.slice(from, until).matchAll(begins)) {
      const start = from + index
      if (start < done) continue
      done = start + beginning.length
      for (const piece of goesOn) {
        piece.lastIndex = done
        const next = piece.exec(text)
        if (!next) break
        done += next[0].length
      }
      found.push({ start, end: done })
    }
    return found
  }
}

const known = new Map<string, string[]>()

function formsOf(character: string): string[] {
  const found = known.get(character)
  if (found) return found
  const forms = allFormsOf(character)
  if (known.size > 2_000) known.clear()
  known.set(character, forms)
  return forms
}

const JSON_ESCAPES: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '/': '\\/',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\b': '\\b',
  '\f': '\\f',
}
const HTML_NAMES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
}

const WINDOWS_START = 0x80
const WINDOWS = new TextDecoder('windows-1252').decode(
  Uint8Array.from({ length: 256 - WINDOWS_START }, (_, index) => WINDOWS_START + index),
)

/** Parts of a regular expression. */
function allFormsOf(character: string): string[] {
  const written = [character, JSON_ESCAPES[character], HTML_NAMES[character]].filter((one) => one !== undefined)
  // JSON within a JSON string.
  const nested = written.flatMap((one) => (/["\\]/.test(one) ? [one.replace(/["\\]/g, '\\$&')] : []))
  const units = character.split('').map((unit) => unit.charCodeAt(0).toString(16).padStart(4, '0'))
  const code = character.codePointAt(0)!
  const forms = new Set<string>()
  for (const one of [...written, ...nested]) {
    forms.add(literal(one))
    forms.add(percentEncoded(one, '%'))
    forms.add(percentEncoded(one, '%25'))
  }
  forms.add(units.map((unit) => `\\\\{1,2}u${anyCase(unit)}`).join(''))
  forms.add(`&#0{0,4}${code};`)
  forms.add(`&#[xX]0{0,4}${anyCase(code.toString(16))};`)
  if (code < 256) forms.add(`\\\\x${anyCase(code.toString(16).padStart(2, '0'))}`)
  if (code > 127) {
    forms.add(literal(Buffer.from(character).toString('latin1')))
    // Pages that name no encoding send forms in the encoding of Windows, with numeric references for missing
    // characters.
    const byte = WINDOWS.indexOf(character) + WINDOWS_START
    if (byte >= WINDOWS_START) forms.add(`%${anyCase(byte.toString(16))}`).add(literal(String.fromCharCode(byte)))
    forms.add(percentEncoded(`&#${code};`, '%'))
    // As a server repeats it after decoding it incorrectly.
    forms.add('\uFFFD')
  }
  if (character === ' ') forms.add('\\+')
  // Forms send a line break as two characters.
  if (character === '\n') for (const form of ['\\r\\n', '%0[dD]%0[aA]', '\\\\r\\\\n']) forms.add(form)
  // The longest first, if one is a prefix of another.
  return [...forms].toSorted((one, other) => other.length - one.length)
}

const literal = (text: string) => text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')
const anyCase = (hex: string) => hex.replace(/[a-f]/g, (digit) => `[${digit}${digit.toUpperCase()}]`)

/** Letters and digits may be unescaped. */
const percentEncoded = (text: string, sign: string) =>
  [...Buffer.from(text)]
    .map((byte) => {
      const encoded = `${sign}${anyCase(byte.toString(16).padStart(2, '0'))}`
      const character = String.fromCharCode(byte)
      return text.length > 1 && /[A-Za-z0-9]/.test(character) ? `(?:${character}|${encoded})` : encoded
    })
    .join('')
