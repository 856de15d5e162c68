import { randomUUID } from 'node:crypto'

/** Shorter strings are parsed with the message. */
const LONG_BYTES = 4096
const [QUOTE, BACKSLASH, SPACE, UNICODE] = [0x22, 0x5c, 0x20, 0x75]
/** What may follow a backslash, apart from `u` with four digits. */
const isEscapable = tableOf('"\\/bfnrt')
const isHexadecimal = tableOf('0123456789abcdefABCDEF')

/**
 * The long strings of a JSON message, taken out as bytes: parsing 64 MB of text and serializing it again would block
 * the event loop for most of a second. In what is left of the message, names stand for them that no client can guess.
 */
export class LongTexts {
  readonly #name: string
  readonly #literals: readonly Buffer[]

  private constructor(name: string, literals: readonly Buffer[]) {
    this.#name = name
    this.#literals = literals
  }

  /**
   * What is left of a message in valid UTF-8, and its long strings. Each string is checked as strictly as the parser
   * does, since the long ones are handed on as they are: a NUL would end the message early.
   */
  static taken(message: Buffer, maxStrings: number): { rest: Buffer; texts: LongTexts } | 'INVALID' | 'TOO_MANY' {
    const name = randomUUID()
    const literals: Buffer[] = []
    const kept: Buffer[] = []
    let keptUntil = 0
    let strings = 0
    for (let at = message.indexOf(QUOTE); at >= 0; at = message.indexOf(QUOTE, at)) {
      const end = endOfString(message, at)
      if (end === null) return 'INVALID'
      strings += 1
      if (strings > maxStrings) return 'TOO_MANY'
      if (end - at > LONG_BYTES) {
        kept.push(message.subarray(keptUntil, at), Buffer.from(`"${name} ${literals.length}"`))
        literals.push(message.subarray(at, end))
        keptUntil = end
      }
      at = end
    }
    kept.push(message.subarray(keptUntil))
    return { rest: Buffer.concat(kept), texts: new LongTexts(name, literals) }
  }

  get areNone(): boolean {
    return this.#literals.length === 0
  }

  /** Whether a text contains the name of a long one. */
  areIn(text: string): boolean {
    return text.includes(this.#name)
  }

  /** A serialized message with the long strings where they were, in pieces. */
  restored(message: string): Buffer[] {
    const parts = message.split(new RegExp(`"${this.#name} (\\d+)"`))
    return parts.map((part, index) => (index % 2 === 0 ? Buffer.from(part) : this.#literals[Number(part)]!))
  }
}

/** The offset after the string that begins here. */
function endOfString(message: Buffer, from: number): number | null {
  const { length } = message
  for (let at = from + 1; at < length; at += 1) {
    const byte = message[at]!
    if (byte > QUOTE && byte !== BACKSLASH) continue
    if (byte === QUOTE) return at + 1
    if (byte < SPACE) return null
    if (byte !== BACKSLASH) continue
    at += 1
    const escaped = message[at]!
    if (escaped === UNICODE) {
      for (const until = at + 4; at < until; at += 1) if (isHexadecimal[message[at + 1]!] !== 1) return null
    } else if (isEscapable[escaped] !== 1) return null
  }
  return null
}

/** By byte: 1 for those of the text. Looked up ten million times a second. */
function tableOf(text: string): Uint8Array {
  const table = new Uint8Array(256)
  for (const byte of Buffer.from(text)) table[byte] = 1
  return table
}
