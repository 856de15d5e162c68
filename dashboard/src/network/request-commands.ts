import { network } from '../base/network-messages.ts'

/** The facts needed to repeat a request elsewhere. */
export interface CopiedRequest {
  method: string
  url: string
  /** Names and values. */
  requestHeaders: unknown
}

/** Its body as text, or the reason why there is none to copy. `note` says what is missing from it. */
export interface CopiedBody {
  text: string | null
  note: string | null
}

/** File that a command reads if the body is not included, so that it fails instead of sending a different request. */
const BODY_FILE = 'request-body'

/** Clients set these themselves, according to their body and connection. */
const MADE_BY_CLIENTS = new Set(['accept-encoding', 'connection', 'content-length', 'host', 'transfer-encoding'])

/** Pages may not set these: https://fetch.spec.whatwg.org/#forbidden-request-header */
const MADE_BY_BROWSERS =
  /^(?:accept-charset|access-control-request-.*|cookie2?|date|dnt|expect|keep-alive|origin|permissions-policy|proxy-.*|referer|sec-.*|te|trailer|upgrade|user-agent|via)$/

/** A command for any POSIX shell. All input from the page is quoted data, whatever characters it contains. */
export function curlOf({ method, url, requestHeaders }: CopiedRequest, body: CopiedBody | null): string {
  const headers = headersOf(requestHeaders)
  const isText = body !== null && body.text !== null && !body.text.includes('\0')
  const parts = [`curl ${quoted(url)}`]
  // curl treats brackets and braces as patterns.
  if (/[[\]{}]/.test(url)) parts.push('--globoff')
  if (method === 'HEAD') parts.push('--head')
  else if (method !== (body ? 'POST' : 'GET')) parts.push(`-X ${quoted(method)}`)
  for (const [name, value] of headers) parts.push(`-H ${quoted(value === '' ? `${name};` : `${name}: ${value}`)}`)
  // curl would add a default.
  if (body && !headers.some(([name]) => name.toLowerCase() === 'content-type')) parts.push(`-H 'Content-Type:'`)
  if (body) parts.push(isText ? `--data-raw ${quoted(body.text!)}` : `--data-binary '@${BODY_FILE}'`)
  parts.push('--compressed')
  const note = body && (body.note ?? (isText ? null : network.command.binary))
  return `${note === null ? '' : `# ${note}\n`}${parts.join(' \\\n  ')}\n`
}

/** A call for a browser's console. */
export function fetchOf({ method, url, requestHeaders }: CopiedRequest, body: CopiedBody | null): string {
  const all = headersOf(requestHeaders)
  const find = (wanted: string) => all.find(([name]) => name.toLowerCase() === wanted)?.[1]
  const headers = all.filter(([name]) => !MADE_BY_BROWSERS.test(name.toLowerCase()))
  const isUnique = new Set(headers.map(([name]) => name)).size === headers.length
  // Browsers reject a body with these.
  const taken = method === 'GET' || method === 'HEAD' ? null : body
  const referrer = find('referer')
  const options = {
    method,
    headers: headers.length === 0 ? undefined : isUnique ? Object.fromEntries(headers) : headers,
    body: taken?.text ?? undefined,
    referrer,
    mode: 'cors',
    credentials: find('cookie') === undefined ? 'omit' : 'include',
  }
  const note = taken && (taken.note ?? (taken.text === null ? network.command.binary : null))
  return `${note === null ? '' : `// ${note}\n`}await fetch(${literal(url)}, ${literal(options)})\n`
}

function headersOf(headers: unknown): [string, string][] {
  if (typeof headers !== 'object' || headers === null || Array.isArray(headers)) return []
  return Object.entries(headers).flatMap(([name, value]) => {
    // HTTP/2 sends the parts of the URL as headers.
    if (name.startsWith(':') || MADE_BY_CLIENTS.has(name.toLowerCase()) || typeof value !== 'string') return []
    return value.split(/[\r\n]+/).map((line): [string, string] => [name, line])
  })
}

/** JSON is JavaScript, except for control characters that editors and terminals interpret. */
const literal = (value: unknown) =>
  JSON.stringify(value, null, 2).replaceAll(
    /[\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )

// All except tab and newline. Terminals interpret them during a paste: ESC [201~ would end it.
// oxlint-disable-next-line no-control-regex -- they are the characters to match
const CONTROL = /[\u0001-\u0008\u000b-\u001f\u007f-\u009f]+/g

/** One word of a POSIX shell that expands to exactly the text. Control characters are written as octal escapes. */
function quoted(text: string): string {
  const plain = (part: string) => (part === '' ? '' : `'${part.replaceAll("'", String.raw`'\''`)}'`)
  let word = ''
  let from = 0
  for (const { 0: found, index } of text.matchAll(CONTROL)) {
    const octal = [...new TextEncoder().encode(found)].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`)
    word += `${plain(text.slice(from, index))}"$(printf '${octal.join('')}')"`
    from = index + found.length
  }
  return word + plain(text.slice(from)) || "''"
}
