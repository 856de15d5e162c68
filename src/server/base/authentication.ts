import type { IncomingHttpHeaders } from 'node:http'

/**
 * Where a key is accepted: X-API-Key, or Authorization: Bearer. Names are compared case-insensitively, since
 * connection_init payloads and the extensions of an operation are plain objects, and clients spell headers in different
 * ways.
 *
 * There is no ambient authority: no cookie and no address authenticates. A page of another site that makes a browser
 * send requests here (cross-origin, or by DNS rebinding) gains nothing. That is why neither Origin nor Host is checked,
 * and why any origin may call the API.
 */
export function secretOf(headers: IncomingHttpHeaders | Record<string, unknown>): string | null {
  let bearer: string | null = null
  for (const [name, value] of Object.entries(headers)) {
    if (typeof value !== 'string') continue
    const lowerCase = name.toLowerCase()
    if (lowerCase === 'x-api-key' && value !== '') return value
    if (lowerCase === 'authorization') bearer = /^Bearer +(\S+)$/i.exec(value)?.[1] ?? null
  }
  return bearer
}

/** The key of a connection_init payload, of `{headers: {…}}` in it, or of an operation's extensions. */
export function secretOfPayload(payload: unknown): string | null {
  if (!isObject(payload)) return null
  return secretOf(payload) ?? (isObject(payload['headers']) ? secretOf(payload['headers']) : null)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
