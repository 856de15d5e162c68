import type { IncomingMessage } from 'node:http'

/** Names under which this machine is meant, and no other: any other may be one that a page makes lead here (DNS rebinding). */
const LOOPBACK_HOSTS = new Set(['127.0.0.1', 'localhost', '[::1]'])

/**
 * Why a request is refused, for people; null: it is served. Whoever may open a connection on this machine may drive the
 * session, but pages that a browser on it has open may not: they say where they come from, or that they are pages.
 */
export function refuseRequest({ headers }: Pick<IncomingMessage, 'headers'>): string | null {
  const host = headers.host ?? ''
  const url = `http://${host}`
  if (!/^[\w.[\]:-]+$/.test(host) || !URL.canParse(url) || !LOOPBACK_HOSTS.has(new URL(url).hostname)) {
    return 'The Host header must be 127.0.0.1, localhost or [::1].'
  }
  if (headers.origin !== undefined) return 'Requests from web pages are refused: this one has an Origin header.'
  const site = headers['sec-fetch-site']
  return site === undefined || site === 'none'
    ? null
    : 'Requests from web pages are refused: this one has a Sec-Fetch-Site header.'
}
