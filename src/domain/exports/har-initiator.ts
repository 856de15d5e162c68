import type { EntryData } from '../../ports/log/log-entry.ts'

/** As stored in the log; entries of earlier versions lack it. */
type Logged = Pick<NonNullable<EntryData['NETWORK_REQUEST']['initiator']>, 'type' | 'url' | 'line' | 'column' | 'stack'>

/** Lines and columns are zero-based, as in CDP. */
interface HarCall {
  functionName: string
  url: string
  lineNumber: number
  columnNumber: number
}
interface HarStack {
  description?: string
  callFrames: HarCall[]
  parent?: HarStack
}
/** With the members that DevTools adds to the format. */
export interface HarInitiator {
  type: string
  url?: string
  lineNumber?: number
  columnNumber?: number
  stack?: HarStack
}

/** The initiator of a request with the names of CDP, as DevTools imports it. */
export function harInitiatorOf(initiator: Logged | null | undefined): HarInitiator | undefined {
  if (!initiator) return undefined
  const { type, url, line, column, stack } = initiator
  return {
    type: TYPES[type] ?? type.toLowerCase(),
    url: url ?? undefined,
    lineNumber: line === null ? undefined : line - 1,
    columnNumber: column === null ? undefined : column - 1,
    stack: stack === null ? undefined : callsOf(stack),
  }
}

const TYPES: Readonly<Record<string, string>> = { SIGNED_EXCHANGE: 'SignedExchange', FED_CM: 'FedCM' }

const AT = '    at '
const ASYNC = `${AT}async`

/**
 * The calls of a stack in V8's format. DevTools ignores the initiator of a script whose stack has no calls, so there is
 * none in that case. The last line of a stack that was cut is left out.
 */
function callsOf(text: string): HarStack | undefined {
  const stack: HarStack = { callFrames: [] }
  let part = stack
  for (const line of text.split('\n')) {
    const call = callOf(line)
    if (call) part.callFrames.push(call)
    else if (line.startsWith(ASYNC)) {
      part.parent = { description: line.slice(ASYNC.length).trim(), callFrames: [] }
      part = part.parent
    }
  }
  return stack.callFrames.length === 0 && !stack.parent ? undefined : stack
}

/** Null for other lines. No regular expression: pages decide on the names and URLs. */
function callOf(line: string): HarCall | null {
  if (!line.startsWith(AT)) return null
  const call = line.slice(AT.length)
  const nameEnd = call.endsWith(')') ? call.indexOf(' (') : -1
  const place = nameEnd === -1 ? call : call.slice(nameEnd + 2, -1)
  const columnAt = place.lastIndexOf(':')
  const lineAt = place.slice(0, Math.max(0, columnAt)).lastIndexOf(':')
  const lineNumber = Number(place.slice(lineAt + 1, columnAt)) - 1
  const columnNumber = Number(place.slice(columnAt + 1)) - 1
  if (lineAt < 0 || !Number.isInteger(lineNumber) || !Number.isInteger(columnNumber)) return null
  const url = place.slice(0, lineAt)
  const functionName = nameEnd === -1 ? '' : call.slice(0, nameEnd)
  return { functionName, url: url === '<anonymous>' ? '' : url, lineNumber, columnNumber }
}
