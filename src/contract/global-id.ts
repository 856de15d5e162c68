const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
const GLOBAL_ID = /^([A-Z][A-Za-z]*):([0-9a-f-]{36})(?::([1-9][0-9]{0,14}))?$/

export interface GlobalId {
  typename: string
  /** UUID of the session or API key. */
  uuid: string
  /** For items within a session: an entry's sequence, a request's number. */
  number: number | null
}

interface EncodedPrefix {
  uuid: string
  /** Base64url of the complete groups of three characters of "ConsoleMessage:<uuid>:". */
  head: string
  /** The remainder, encoded together with the number. */
  rest: string
}

/** By type: entries of one session come in long runs, and their ids differ in the last few characters only. */
const prefixes = new Map<string, EncodedPrefix>()

function prefixOf(typename: string, uuid: string): EncodedPrefix {
  const known = prefixes.get(typename)
  if (known?.uuid === uuid) return known
  const text = `${typename}:${uuid}:`
  const whole = text.length - (text.length % 3)
  const head = Buffer.from(text.slice(0, whole), 'latin1').toString('base64url')
  const prefix = { uuid, head, rest: text.slice(whole) }
  prefixes.set(typename, prefix)
  return prefix
}

/**
 * The canonical form of a node's id: base64url of "Session:<uuid>" or "ConsoleMessage:<uuid>:<sequence>". Measured:
 * encoding each id of an entry from scratch took a fifth of the time of a long replay (bench/replay.ts).
 */
export function encodeGlobalId(typename: string, uuid: string, number?: number): string {
  if (number === undefined) return Buffer.from(`${typename}:${uuid}`, 'latin1').toString('base64url')
  const { head, rest } = prefixOf(typename, uuid)
  // Hexadecimal digits, colons and hyphens encode to the same characters in base64 and base64url.
  const tail = btoa(`${rest}${number}`)
  const padding = tail.indexOf('=')
  return head + (padding === -1 ? tail : tail.slice(0, padding))
}

/** Null for any text that encodeGlobalId did not produce, so that each node has exactly one id. */
export function decodeGlobalId(id: string): GlobalId | null {
  const match = GLOBAL_ID.exec(Buffer.from(id, 'base64url').toString('latin1'))
  if (!match || !UUID.test(match[2]!)) return null
  const decoded = { typename: match[1]!, uuid: match[2]!, number: match[3] ? Number(match[3]) : null }
  return encodeGlobalId(decoded.typename, decoded.uuid, decoded.number ?? undefined) === id ? decoded : null
}

/** UUID of a global id of this type, or null if it is not one. */
export function uuidOf(typename: string, id: string): string | null {
  const decoded = decodeGlobalId(id)
  return decoded?.typename === typename && decoded.number === null ? decoded.uuid : null
}
