import { isDeeperThan } from '../../../contract/input/json-depth.ts'
import { isTooIntricate } from '../cdp/pipe/json-weight.ts'
import { LongTexts } from '../cdp/pipe/long-texts.ts'
import { MESSAGE_LIMITS } from '../cdp/pipe/message-limits.ts'
import { cutText } from '../cdp/protocol/cut-text.ts'
import type { CommandParams } from './command-policy.ts'

/** Levels on which the parameters of a command may stand in one another; Chromium reads no message with more than 300. */
const MAX_LEVELS = 298
/** Smaller messages are parsed whole. */
const LARGE_BYTES = 512 * 1024

/** Longer than the name of any command: names are kept until the browser has answered. */
const MAX_METHOD = 200

const PARSE_ERROR = -32_700
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
  /** Strings that were taken out of the parameters; null: none. */
  texts: LongTexts | null
}

/** Why a message is no command; the id is that of the message, as far as it can be told. */
export interface NoCommand {
  id: number | null
  code: number
  message: string
}

/** Commands whose texts are handed on unread: scripts, their arguments (among them files), documents, bodies. */
const WITH_LONG_TEXTS = new Set([
  'CSS.setStyleSheetText',
  'DOM.setAttributeValue',
  'DOM.setNodeValue',
  'DOM.setOuterHTML',
  'Debugger.evaluateOnCallFrame',
  'Debugger.setScriptSource',
  'Fetch.fulfillRequest',
  'Page.addScriptToEvaluateOnNewDocument',
  'Page.setDocumentContent',
  'Runtime.callFunctionOn',
  'Runtime.compileScript',
  'Runtime.evaluate',
])

/** Reads a message of a client, in time that is bounded whatever it contains. */
export function readCommand(bytes: Buffer): ClientCommand | NoCommand {
  if (bytes.length <= LARGE_BYTES) return commandIn(bytes, null)
  // A string without a comma of its own is the name of another.
  const taken = LongTexts.taken(bytes, 2 * MESSAGE_LIMITS.values + 2)
  if (taken === 'INVALID') return NO_JSON
  if (taken === 'TOO_MANY') return tooMuch(bytes)
  const { rest, texts } = taken
  if (isTooMuch(rest)) return tooMuch(bytes)
  const command = commandIn(rest, texts.areNone ? null : texts)
  if (!('method' in command) || command.texts === null) return command
  const isHandedOn = WITH_LONG_TEXTS.has(command.method) && !texts.areIn(command.sessionId ?? '')
  if (isHandedOn) return command
  return bytes.length > MESSAGE_LIMITS.parsed ? tooMuch(bytes) : commandIn(bytes, null)
}

function isTooMuch(message: Buffer): boolean {
  return message.length > MESSAGE_LIMITS.parsed || isTooIntricate(message, MESSAGE_LIMITS)
}

function commandIn(bytes: Buffer, texts: LongTexts | null): ClientCommand | NoCommand {
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
    return { id: id as number, method, params: params as CommandParams, sessionId, texts }
  }
  const what = 'an object with id, method, params and sessionId'
  const why = isFit && !isShallow ? `nested at most ${MAX_LEVELS} levels deep` : what
  return noRequest(Number.isSafeInteger(id) ? (id as number) : null, `Message must be ${why}`)
}

const NO_JSON: NoCommand = { id: null, code: PARSE_ERROR, message: 'Message must be a valid JSON' }

function tooMuch(bytes: Buffer): NoCommand {
  const { parsed, values, names } = MESSAGE_LIMITS
  const mebibytes = parsed / 1024 / 1024
  const what = `at most ${values} commas and brackets, ${names} member names, and ${mebibytes} MiB apart from long strings in scripts, documents and bodies`
  return noRequest(idIn(bytes), `Message must have ${what}`)
}

function noRequest(id: number | null, message: string): NoCommand {
  return { id, code: INVALID_REQUEST, message }
}

/** Most clients write the id first, Puppeteer last or before the session. */
function idIn(bytes: Buffer): number | null {
  const head = /^\{"id":(\d{1,15}),/.exec(bytes.toString('latin1', 0, 30))
  const tail = /,"id":(\d{1,15})(?:,"sessionId":"\w*")?\}$/.exec(bytes.toString('latin1', bytes.length - 100))
  const [, id = null] = head ?? tail ?? []
  return id === null ? null : Number(id)
}
