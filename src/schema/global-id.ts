const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
const GLOBAL_ID = /^([A-Z][A-Za-z]*):([0-9a-f-]{36})(?::([1-9][0-9]{0,14}))?$/

export interface GlobalId {
  typename: string
  /** Of the session or API key. */
  uuid: string
  /** Of what lies within a session: an entry's sequence, a request's number. */
  number: number | null
}

/** The one form of a node's id: base64url of "Session:<uuid>" or "ConsoleMessage:<uuid>:<sequence>". */
export function encodeGlobalId(typename: string, uuid: string, number?: number): string {
  const text = number === undefined ? `${typename}:${uuid}` : `${typename}:${uuid}:${number}`
  return Buffer.from(text, 'latin1').toString('base64url')
}

/** Null for whatever encodeGlobalId did not write, so that each node has exactly one id. */
export function decodeGlobalId(id: string): GlobalId | null {
  const match = GLOBAL_ID.exec(Buffer.from(id, 'base64url').toString('latin1'))
  if (!match || !UUID.test(match[2]!)) return null
  const decoded = { typename: match[1]!, uuid: match[2]!, number: match[3] ? Number(match[3]) : null }
  return encodeGlobalId(decoded.typename, decoded.uuid, decoded.number ?? undefined) === id ? decoded : null
}

/** UUID of a global id of this type, or null if it is no such id. */
export function uuidOf(typename: 'Session' | 'ApiKey', id: string): string | null {
  const decoded = decodeGlobalId(id)
  return decoded?.typename === typename && decoded.number === null ? decoded.uuid : null
}
