import { isDeeperThan } from '../../../contract/input/json-depth.ts'
import { isTooIntricate } from '../cdp/pipe/json-weight.ts'
import { tailOf } from '../cdp/pipe/message-limits.ts'
import { cutText } from '../cdp/protocol/cut-text.ts'
import type { CommandParams } from './command-policy.ts'
import { CommandScanner, MAX_LEVELS, type ScanFault, type Span } from './command-scanner.ts'

/** Smaller messages are parsed at once. */
export const LARGE_BYTES = 512 * 1024
/**
 * A command is parsed, checked, and serialized again in one step: on 2 MiB with 100,000 values that takes 40 to 125 ms
 * (measured on a busy machine); Chromium's longest URL has 2 MiB. What is handed on unparsed is read in slices, and has only the bound on values.
 */
export const COMMAND_LIMITS = { parsed: 2.5 * 1024 * 1024, parsedValues: 100_000, parsedNames: 10_000, values: 400_000 }

/** Longer than the name of any command: names are kept until the browser has answered. */
const MAX_METHOD = 200

/** Of an id, a method or a session, as it is written. */
const MAX_HEAD_BYTES = 4096
/** Of a parameter that is looked at in a command that is otherwise handed on unparsed. */
const MAX_SOUGHT_BYTES = 64 * 1024

const PARSE_ERROR = -32_700
const NO_SUCH_SESSION = -32_001
const NO_SUCH_METHOD = -32_601
const INVALID_REQUEST = -32_600

/** What is kept of a command until its answer comes. */
export interface Asked {
  id: number
  method: string
  /** Null: of the session that stands for the browser. */
  sessionId: string | null
}

export interface ClientCommand extends Asked {
  params: CommandParams
  /** The parameters as they were written, to be handed on; `params` then has only those that rules look at. Null: parsed. */
  body: readonly Buffer[] | null
}

/** Why a message is no command; the id is that of the message, as far as it can be told. */
export interface NoCommand {
  id: number | null
  code: number
  message: string
}

/** Commands of which rules look at no parameter but those below: scripts with their arguments, documents, bodies, files. */
const HANDED_ON = new Set([
  'CSS.setStyleSheetText',
  'DOM.setAttributeValue',
  'DOM.setNodeValue',
  'DOM.setOuterHTML',
  'DOMStorage.setDOMStorageItem',
  'Debugger.evaluateOnCallFrame',
  'Debugger.setScriptSource',
  'Fetch.continueRequest',
  'Fetch.fulfillRequest',
  'Page.addScriptToEvaluateOnNewDocument',
  'Page.setDocumentContent',
  'Runtime.callFunctionOn',
  'Runtime.compileScript',
  'Runtime.evaluate',
])
const SOUGHT: ReadonlySet<string> = new Set(['contextId', 'executionContextId', 'requestId', 'uniqueContextId', 'url'])

/** A message that is not large (see LARGE_BYTES). */
export function readCommand(message: Buffer): ClientCommand | NoCommand {
  return commandIn(message)
}

/** A large message, read piece by piece in the time that the caller has. */
export class LargeCommand {
  readonly #scanner = new CommandScanner(COMMAND_LIMITS.values, SOUGHT)
  readonly #pieces: readonly Buffer[]
  #read = 0

  constructor(message: readonly Buffer[]) {
    this.#pieces = message.flatMap(cut)
  }

  /** Reads another piece, which takes about a millisecond at most. Returns whether there are more to read. */
  read(): boolean {
    const piece = this.#pieces[this.#read]
    if (piece) this.#scanner.push(piece)
    this.#read += 1
    return this.#read < this.#pieces.length && this.#scanner.fault === null
  }

  /** When all is read. */
  command(): ClientCommand | NoCommand {
    const scanner = this.#scanner
    scanner.end()
    if (scanner.fault !== null) return this.#faulty(scanner.fault)
    const id = this.#valueOf(scanner.member('id'))
    const method = this.#valueOf(scanner.member('method'))
    const sessionId = this.#valueOf(scanner.member('sessionId'))
    if (!Number.isSafeInteger(id)) return noRequest(null, NO_COMMAND)
    if (method === TOO_LONG) return unknownMethod(id as number, scanner.member('method')!, scanner)
    if (sessionId === TOO_LONG)
      return { id: id as number, code: NO_SUCH_SESSION, message: 'Session with given id not found.' }
    const params = scanner.member('params')
    const body = params && scanner.bytesOf(params)
    const isFit = body?.[0]?.[0] === OPENING && (sessionId == null || typeof sessionId === 'string')
    if (typeof method !== 'string' || !isFit || !HANDED_ON.has(method)) return this.#parsed()
    if (scanner.isAmbiguous) return noRequest(id as number, `Message must name ${[...SOUGHT].join(', ')} once`)
    const sought = [...scanner.params].map(([name, span]) => [name, this.#valueOf(span, MAX_SOUGHT_BYTES)] as const)
    if (sought.some(([, value]) => value === TOO_LONG)) return this.#parsed()
    return { id: id as number, method, params: Object.fromEntries(sought), sessionId: sessionId ?? null, body }
  }

  /** Undefined: there is none. */
  #valueOf(span: Span | null, maxBytes = MAX_HEAD_BYTES): unknown {
    if (!span) return undefined
    return span.end - span.start > maxBytes ? TOO_LONG : (JSON.parse(this.#scanner.textOf(span)) as unknown)
  }

  #parsed(): ClientCommand | NoCommand {
    const bytes = this.#pieces.reduce((sum, { length }) => sum + length, 0)
    if (bytes > COMMAND_LIMITS.parsed) return tooMuch(this.#idAtEnds())
    const message = Buffer.concat(this.#pieces)
    const limits = { values: COMMAND_LIMITS.parsedValues, names: COMMAND_LIMITS.parsedNames }
    return isTooIntricate(message, limits) ? tooMuch(this.#idAtEnds()) : commandIn(message)
  }

  #faulty(fault: ScanFault): NoCommand {
    if (fault === 'INVALID') return NO_JSON
    const id = this.#idAtEnds()
    return fault === 'TOO_MANY' ? tooMuch(id) : noRequest(id, TOO_DEEP)
  }

  /** It may not have been read to its end. Most clients write the id first, Puppeteer last or before the session. */
  #idAtEnds(): number | null {
    const known = this.#valueOf(this.#scanner.member('id'))
    if (Number.isSafeInteger(known)) return known as number
    const tail = tailOf(this.#pieces).toString('latin1')
    const [, id = null] = /,"id":(\d{1,15})(?:,"sessionId":"\w*")?\}$/.exec(tail) ?? []
    return id === null ? null : Number(id)
  }
}

const TOO_LONG = Symbol('too long')
/** Of an object. */
const OPENING = 0x7b
const PIECE_BYTES = 64 * 1024

function cut(message: Buffer): Buffer[] {
  const count = Math.ceil(message.length / PIECE_BYTES)
  return Array.from({ length: count }, (_, index) => message.subarray(index * PIECE_BYTES, (index + 1) * PIECE_BYTES))
}

function unknownMethod(id: number, { start, end }: Span, scanner: CommandScanner): NoCommand {
  const text = scanner.textOf({ start: start + 1, end: Math.min(end - 1, start + 1 + MAX_HEAD_BYTES) })
  return { id, code: NO_SUCH_METHOD, message: `'${cutText(text, MAX_METHOD)}' wasn't found` }
}

function commandIn(bytes: Buffer): ClientCommand | NoCommand {
  let message: unknown
  try {
    message = JSON.parse(bytes.toString())
  } catch {
    return NO_JSON
  }
  const given = typeof message === 'object' && message !== null ? (message as Record<string, unknown>) : {}
  const { id, method, params = {}, sessionId = null } = given
  const isWhole = Number.isSafeInteger(id) && typeof method === 'string'
  const isFit = typeof params === 'object' && params !== null && !Array.isArray(params)
  const isShallow = isFit && !isDeeperThan(MAX_LEVELS, params)
  if (isWhole && method.length > MAX_METHOD) {
    return { id: id as number, code: NO_SUCH_METHOD, message: `'${cutText(method, MAX_METHOD)}' wasn't found` }
  }
  if (isWhole && isShallow && (sessionId === null || typeof sessionId === 'string')) {
    return { id: id as number, method, params: params as CommandParams, sessionId, body: null }
  }
  const why = isFit && !isShallow ? TOO_DEEP : NO_COMMAND
  return noRequest(Number.isSafeInteger(id) ? (id as number) : null, why)
}

const NO_COMMAND = 'Message must be an object with id, method, params and sessionId'
const TOO_DEEP = `Message must be nested at most ${MAX_LEVELS} levels deep`
const NO_JSON: NoCommand = { id: null, code: PARSE_ERROR, message: 'Message must be a valid JSON' }

function tooMuch(id: number | null): NoCommand {
  const { parsed, parsedValues, parsedNames, values } = COMMAND_LIMITS
  const mebibytes = parsed / 1024 / 1024
  const what = `at most ${mebibytes} MiB, ${parsedValues} commas and brackets and ${parsedNames} member names; those with scripts, documents and bodies at most ${values} commas and brackets`
  return noRequest(id, `Message must have ${what}`)
}

function noRequest(id: number | null, message: string): NoCommand {
  return { id, code: INVALID_REQUEST, message }
}
