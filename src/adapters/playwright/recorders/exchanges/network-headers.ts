import { TEXT_LIMITS } from '../../../../ports/log/log-entry.ts'
import { cutText } from '../../cdp/protocol/cut-text.ts'

export type Headers = Record<string, string>

/** Names in lower case, as in HTTP/2; several headers with one name are joined by a line break, as in the protocol. */
export function headersOf(headers: Headers): Headers {
  const kept: [string, string][] = []
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith(':')) continue
    if (kept.length === TEXT_LIMITS.headerCount) break
    kept.push([cutText(name.toLowerCase(), TEXT_LIMITS.headerName), cutText(String(value), TEXT_LIMITS.headerValue)])
  }
  return Object.fromEntries(kept)
}

/** Unchanged, unless they exceed the limits of a recorded entry: a pending request must not keep megabytes. */
export function boundedHeaders(headers: Headers): Headers {
  let count = 0
  for (const [name, value] of Object.entries(headers)) {
    count += 1
    const isLong = name.length > TEXT_LIMITS.headerName || String(value).length > TEXT_LIMITS.headerValue
    if (isLong || count > TEXT_LIMITS.headerCount) return headersOf(headers)
  }
  return headers
}

/** Null: there is no such header. The name is in lower case. */
export function headerOf(headers: Headers, name: string): string | null {
  for (const own in headers) if (own.length === name.length && own.toLowerCase() === name) return headers[own] ?? null
  return null
}
