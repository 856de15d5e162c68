import type { CdpEvents } from '../../cdp/protocol/cdp-events.ts'
import { TEXT_LIMITS } from '../../../../ports/log/log-entry.ts'
import { sentCookies, setCookies, type Cookies } from './network-cookies.ts'
import { boundedHeaders, headerOf, type Headers } from './network-headers.ts'

/** Most remembered chains, for headers that arrive before their request or after its end. */
const MAX_CHAINS = 2_000

export interface SentInfo {
  headers: Headers
  cookies: Cookies
}

export interface ReceivedInfo {
  headers: Headers
  statusCode: number
  /** For example "HTTP/1.1 404 Not Found"; null if there is none. */
  statusLine: string | null
  cookies: Cookies
}

/** Headers and cookies as sent over the wire, as reported by the network process. */
export interface ExtraInfo {
  sent: SentInfo | null
  received: ReceivedInfo | null
}

/** The network process's reports on all hops of one request: in order, without a reference to the hop. */
export interface Chain {
  /** Null: reported, but too large to be read. */
  sent: (SentInfo | null)[]
  received: (ReceivedInfo | null)[]
  /** Number of hops so far with announced or expected extra info. */
  promised: number
  /** URL to which a client had the browser send the current hop; null: its own. */
  sentTo: string | null
}

export function sentInfo(event: CdpEvents['Network.requestWillBeSentExtraInfo']): SentInfo {
  return { headers: boundedHeaders(event.headers), cookies: sentCookies(event.associatedCookies) }
}

export function receivedInfo(event: CdpEvents['Network.responseReceivedExtraInfo']): ReceivedInfo {
  const { headers, statusCode, headersText } = event
  return {
    headers: boundedHeaders(headers),
    statusCode,
    statusLine: headersText === undefined ? null : firstLine(headersText),
    // From the original header: a cut one may end within a cookie.
    cookies: setCookies(headerOf(headers, 'set-cookie'), event, Date.now()),
  }
}

/** A copy: a slice would keep all headers alive as long as the request is pending. */
function firstLine(text: string): string {
  const end = text.indexOf('\r\n')
  const length = Math.min(end < 0 ? text.length : end, TEXT_LIMITS.requestFact)
  return Buffer.from(text.slice(0, length), 'utf16le').toString('utf16le')
}

/** Chains by the browser's request ids; pending ones are not forgotten. */
export class Chains {
  readonly #chains = new Map<string, Chain>()
  readonly #isInFlight: (chainId: string) => boolean

  constructor(isInFlight: (chainId: string) => boolean) {
    this.#isInFlight = isInFlight
  }

  of(chainId: string): Chain {
    let chain = this.#chains.get(chainId)
    if (!chain) {
      chain = { sent: [], received: [], promised: 0, sentTo: null }
      this.#chains.set(chainId, chain)
      if (this.#chains.size > MAX_CHAINS) this.#forgetOld()
    }
    return chain
  }

  #forgetOld(): void {
    for (const chainId of this.#chains.keys()) {
      if (this.#chains.size <= MAX_CHAINS / 2) return
      if (!this.#isInFlight(chainId)) this.#chains.delete(chainId)
    }
  }
}
