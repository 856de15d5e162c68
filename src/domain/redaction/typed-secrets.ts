import { MASK, matchesOf, type Match } from './mask.ts'

/** Shorter ones are found in too much that is not secret. */
const LEAST_CHARACTERS = 6
/** Longer ones are looked for in pieces. */
const PIECE_CHARACTERS = 256
/** Of all secrets of a session together; the oldest go. */
const MOST_CHARACTERS = 16_384

/**
 * What was typed into fields for passwords and the like. A page sends it in the encoding of its choice, so each character is
 * looked for in every form that JSON, URLs, forms, HTML and scripts write it in. Nothing in such an expression repeats:
 * it takes as long as the text is.
 */
export class TypedSecrets {
  /** How often each was typed and not taken back. The oldest first. */
  readonly #counts = new Map<string, number>()
  #characters = 0
  #expressions: readonly RegExp[] | null = null

  get isEmpty(): boolean {
    return this.#counts.size === 0
  }

  /** Returns how to take it back, once. */
  add(text: string): () => void {
    const pieces = piecesOf(text)
    for (const piece of pieces) this.#add(piece)
    let isAdded = true
    return () => {
      if (!isAdded) return
      isAdded = false
      for (const piece of pieces) this.#remove(piece)
    }
  }

  mask(text: string): string {
    let masked = text
    for (const expression of this.#compiled()) masked = masked.replace(expression, MASK)
    return masked
  }

  /** How each is found in a piece of text. */
  get each(): ((piece: string) => Match[])[] {
    return this.#compiled().map((expression) => (piece) => matchesOf(expression, piece))
  }

  #add(piece: string): void {
    const count = this.#counts.get(piece)
    this.#counts.delete(piece)
    this.#counts.set(piece, (count ?? 0) + 1)
    if (count !== undefined) return
    this.#characters += piece.length
    this.#expressions = null
    for (const oldest of this.#counts.keys()) {
      if (this.#characters <= MOST_CHARACTERS || oldest === piece) break
      this.#forget(oldest)
    }
  }

  #remove(piece: string): void {
    const count = this.#counts.get(piece)
    if (count === undefined) return
    if (count > 1) this.#counts.set(piece, count - 1)
    else this.#forget(piece)
  }

  #forget(piece: string): void {
    this.#counts.delete(piece)
    this.#characters -= piece.length
    this.#expressions = null
  }

  /** Each by itself, for an expression of all of them may be too large. The longest first: one may be within another. */
  #compiled(): readonly RegExp[] {
    return (this.#expressions ??= [...this.#counts.keys()]
      .toSorted((one, other) => other.length - one.length)
      .map((piece) => new RegExp(formsOfText(piece), 'g')))
  }
}

function piecesOf(text: string): string[] {
  const characters = Array.from(text.toWellFormed().replaceAll('\r\n', '\n'))
  if (characters.length < LEAST_CHARACTERS) return []
  const pieces: string[] = []
  for (let at = 0; at < characters.length; at += PIECE_CHARACTERS) {
    const piece = characters.slice(at, at + PIECE_CHARACTERS)
    // What is left at the end goes with what is before it, so that none of it shows.
    if (piece.length < LEAST_CHARACTERS) pieces[pieces.length - 1] += piece.join('')
    else pieces.push(piece.join(''))
  }
  return pieces
}

const formsOfText = (text: string): string =>
  Array.from(text)
    .map((character) => `(?:${formsOf(character).join('|')})`)
    .join('')

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

/** Parts of a regular expression. */
function allFormsOf(character: string): string[] {
  const written = [character, JSON_ESCAPES[character], HTML_NAMES[character]].filter((one) => one !== undefined)
  // JSON in a string of JSON.
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
  if (code > 127) forms.add(literal(Buffer.from(character).toString('latin1')))
  if (character === ' ') forms.add('\\+')
  // Forms send a line break as two characters.
  if (character === '\n') for (const form of ['\\r\\n', '%0[dD]%0[aA]', '\\\\r\\\\n']) forms.add(form)
  // The longest first, where one begins another.
  return [...forms].toSorted((one, other) => other.length - one.length)
}

const literal = (text: string) => text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')
const anyCase = (hex: string) => hex.replace(/[a-f]/g, (digit) => `[${digit}${digit.toUpperCase()}]`)

const percentEncoded = (text: string, sign: string) =>
  [...Buffer.from(text)].map((byte) => `${sign}${anyCase(byte.toString(16).padStart(2, '0'))}`).join('')
