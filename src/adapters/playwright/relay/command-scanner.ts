/** Levels on which the parameters of a command may stand in one another; Chromium reads no message with more than 300. */
export const MAX_LEVELS = 298

/** A part of a message, by offsets of its bytes. */
export interface Span {
  start: number
  end: number
}

/** Why a message is no command: no JSON; too many values; nested too deeply. */
export type ScanFault = 'INVALID' | 'TOO_MANY' | 'TOO_DEEP'

const [QUOTE, BACKSLASH, SPACE, COMMA, COLON] = [0x22, 0x5c, 0x20, 0x2c, 0x3a]
const [BRACE, BRACE_END, BRACKET, BRACKET_END] = [0x7b, 0x7d, 0x5b, 0x5d]
const UNICODE = 0x75
const isSpace = tableOf(' \t\r\n')
/** What may follow a backslash, apart from `u` with four digits. */
const isEscapable = tableOf('"\\/bfnrt')
const isHexadecimal = tableOf('0123456789abcdefABCDEF')
const isOfNumber = tableOf('-+.eE0123456789')
const isOfWord = tableOf('aeflnrstu')

const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/
const WORDS = new Set(['true', 'false', 'null'])
/** Longer than any number that a client means. */
const MAX_SCALAR = 1_000
/** Longer than any name that is looked for, even if each of its characters is escaped. */
const MAX_NAME_BYTES = 130

/** What may come next, or inside of what the next byte is. */
type State =
  | 'VALUE'
  | 'FIRST_VALUE'
  | 'KEY'
  | 'FIRST_KEY'
  | 'COLON'
  | 'AFTER'
  | 'DONE'
  | 'TEXT'
  | 'ESCAPE'
  | 'HEX'
  | 'SCALAR'

/**
 * Reads a command piece by piece without parsing it: whether it is JSON, as strictly as the parser, and where the members
 * are that decide what becomes of it. Names are compared as they are meant, not as they are written.
 */
export class CommandScanner {
  readonly #maxValues: number
  readonly #sought: ReadonlySet<string>
  readonly #pieces: Buffer[] = []
  /** Offset of each piece. */
  readonly #starts: number[] = []
  readonly #members = new Map<string, Span>()
  readonly #params = new Map<string, Span>()
  readonly #isObject = new Uint8Array(MAX_LEVELS + 2)
  #depth = 0
  #values = 0
  #bytes = 0
  #state: State = 'VALUE'
  /** Of the text that is being read. */
  #isKey = false
  #hexLeft = 0
  #scalar = ''
  /** The members of the message and of its parameters that are being read. */
  #names: [string, string] = ['', '']
  #valueStarts: [number, number] = [0, 0]
  #keyStart = 0
  #fault: ScanFault | null = null
  #isAmbiguous = false

  /** `sought`: names of parameters that are looked for. */
  constructor(maxValues: number, sought: ReadonlySet<string>) {
    this.#maxValues = maxValues
    this.#sought = sought
  }

  get fault(): ScanFault | null {
    return this.#fault
  }

  /** Whether a sought parameter is there twice: the browser may read the one that we do not. */
  get isAmbiguous(): boolean {
    return this.#isAmbiguous
  }

  /** A member of the message; of several with this name, the last, as with the parser. */
  member(name: string): Span | null {
    return this.#members.get(name) ?? null
  }

  /** Those of the sought parameters that are there. */
  get params(): ReadonlyMap<string, Span> {
    return this.#params
  }

  push(piece: Buffer): void {
    if (this.#fault !== null) return
    this.#pieces.push(piece)
    this.#starts.push(this.#bytes)
    this.#fault = this.#scan(piece)
    this.#bytes += piece.length
  }

  /** There are no more pieces. */
  end(): void {
    if (this.#state === 'SCALAR' && this.#depth === 0) this.#fault ??= this.#endScalar(this.#bytes)
    if (this.#state !== 'DONE') this.#fault ??= 'INVALID'
  }

  /** The bytes of a part, which are not copied. */
  bytesOf({ start, end }: Span): Buffer[] {
    const found: Buffer[] = []
    // Most parts that are asked for while a message is read are near its end.
    let index = this.#pieces.length - 1
    while (index > 0 && this.#starts[index]! > start) index -= 1
    for (; index < this.#pieces.length && this.#starts[index]! < end; index += 1) {
      const [piece, at] = [this.#pieces[index]!, this.#starts[index]!]
      found.push(piece.subarray(Math.max(0, start - at), end - at))
    }
    return found
  }

  textOf(span: Span): string {
    return Buffer.concat(this.bytesOf(span)).toString()
  }

  #scan(piece: Buffer): ScanFault | null {
    const { length } = piece
    for (let at = 0; at < length;) {
      const byte = piece[at]!
      const offset = this.#bytes + at
      switch (this.#state) {
        case 'TEXT': {
          at = endOfRun(piece, at)
          if (at === length) return null
          const last = piece[at]!
          if (last < SPACE) return 'INVALID'
          if (last === BACKSLASH) this.#state = 'ESCAPE'
          else this.#endText(this.#bytes + at + 1)
          at += 1
          break
        }
        case 'ESCAPE':
          this.#hexLeft = byte === UNICODE ? 4 : 0
          if (byte !== UNICODE && isEscapable[byte] !== 1) return 'INVALID'
          this.#state = byte === UNICODE ? 'HEX' : 'TEXT'
          at += 1
          break
        case 'HEX':
          if (isHexadecimal[byte] !== 1) return 'INVALID'
          this.#hexLeft -= 1
          if (this.#hexLeft === 0) this.#state = 'TEXT'
          at += 1
          break
        case 'SCALAR': {
          const from = at
          while (at < length && (isOfNumber[piece[at]!] === 1 || isOfWord[piece[at]!] === 1)) at += 1
          if (this.#scalar.length + at - from > MAX_SCALAR) return 'INVALID'
          this.#scalar += piece.toString('latin1', from, at)
          if (at === length) return null
          const fault = this.#endScalar(this.#bytes + at)
          if (fault !== null) return fault
          break
        }
        default: {
          at += 1
          const fault = isSpace[byte] === 1 ? null : this.#take(byte, offset)
          if (fault !== null) return fault
          // Its first byte is read again, as the others are.
          if ((this.#state as State) === 'SCALAR') at -= 1
        }
      }
    }
    return null
  }

  /** A byte between values. */
  #take(byte: number, offset: number): ScanFault | null {
    switch (this.#state) {
      case 'FIRST_VALUE':
        if (byte === BRACKET_END) return this.#close(offset + 1)
        return this.#begin(byte, offset)
      case 'VALUE':
        return this.#begin(byte, offset)
      case 'FIRST_KEY':
        if (byte === BRACE_END) return this.#close(offset + 1)
        return this.#beginKey(byte, offset)
      case 'KEY':
        return this.#beginKey(byte, offset)
      case 'COLON':
        this.#state = 'VALUE'
        return byte === COLON ? null : 'INVALID'
      case 'AFTER': {
        const isObject = this.#isObject[this.#depth] === 1
        if (byte === (isObject ? BRACE_END : BRACKET_END)) return this.#close(offset + 1)
        this.#state = isObject ? 'KEY' : 'VALUE'
        return byte === COMMA ? this.#count() : 'INVALID'
      }
      default:
        return 'INVALID'
    }
  }

  #begin(byte: number, offset: number): ScanFault | null {
    if (this.#depth <= 2 && this.#depth > 0) this.#valueStarts[this.#depth - 1] = offset
    if (byte === QUOTE) {
      this.#isKey = false
      this.#state = 'TEXT'
      return null
    }
    if (byte === BRACE || byte === BRACKET) {
      if (this.#depth > MAX_LEVELS) return 'TOO_DEEP'
      this.#depth += 1
      this.#isObject[this.#depth] = byte === BRACE ? 1 : 0
      this.#state = byte === BRACE ? 'FIRST_KEY' : 'FIRST_VALUE'
      return this.#count()
    }
    this.#scalar = ''
    this.#state = 'SCALAR'
    return isOfNumber[byte] === 1 || isOfWord[byte] === 1 ? null : 'INVALID'
  }

  #beginKey(byte: number, offset: number): ScanFault | null {
    this.#keyStart = offset
    this.#isKey = true
    this.#state = 'TEXT'
    return byte === QUOTE ? null : 'INVALID'
  }

  #endText(end: number): void {
    if (!this.#isKey) return this.#endValue(end)
    this.#state = 'COLON'
    if (this.#depth === 1) {
      this.#names[0] = this.#nameAt(end)
      // Of several, the last counts.
      if (this.#names[0] !== 'params') return
      this.#params.clear()
      this.#isAmbiguous = false
    } else if (this.#depth === 2) this.#names[1] = this.#nameAt(end)
  }

  /** Empty: it is too long to be one that is looked for. */
  #nameAt(end: number): string {
    const span = { start: this.#keyStart, end }
    return end - span.start > MAX_NAME_BYTES ? '' : (JSON.parse(this.textOf(span)) as string)
  }

  #endScalar(end: number): ScanFault | null {
    const isNumber = NUMBER.test(this.#scalar) && Number.isFinite(Number(this.#scalar))
    if (!isNumber && !WORDS.has(this.#scalar)) return 'INVALID'
    this.#endValue(end)
    return null
  }

  #close(end: number): ScanFault | null {
    this.#depth -= 1
    this.#endValue(end)
    return null
  }

  #endValue(end: number): void {
    const depth = this.#depth
    this.#state = depth === 0 ? 'DONE' : 'AFTER'
    const isOfMessage = this.#isObject[1] === 1
    if (depth === 1 && isOfMessage) this.#members.set(this.#names[0], { start: this.#valueStarts[0], end })
    if (depth !== 2 || !isOfMessage || this.#isObject[2] !== 1 || this.#names[0] !== 'params') return
    const [, name] = this.#names
    if (!this.#sought.has(name)) return
    if (this.#params.has(name)) this.#isAmbiguous = true
    this.#params.set(name, { start: this.#valueStarts[1], end })
  }

  #count(): ScanFault | null {
    this.#values += 1
    return this.#values > this.#maxValues ? 'TOO_MANY' : null
  }
}

/** The offset of the next quotation mark, backslash or control character. */
function endOfRun(piece: Buffer, from: number): number {
  const { length } = piece
  for (let at = from; at < length; at += 1) {
    const byte = piece[at]!
    if (byte <= QUOTE ? byte === QUOTE || byte < SPACE : byte === BACKSLASH) return at
  }
  return length
}

/** By byte: 1 for those of the text. Looked up ten million times a second. */
function tableOf(text: string): Uint8Array {
  const table = new Uint8Array(256)
  for (const byte of Buffer.from(text)) table[byte] = 1
  return table
}
