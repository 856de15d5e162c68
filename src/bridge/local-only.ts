import type { IncomingMessage } from 'node:http'

/** Names that always mean this machine: a page can make any other name resolve to it (DNS rebinding). */
const LOOPBACK_HOSTS = new Set(['127.0.0.1', 'localhost', '[::1]'])

/**
 * Why a request is rejected, for people; null: it is served. Any process that can connect on this machine may control
 * the session, but pages in a browser on this machine may not: their requests have an Origin or Sec-Fetch-Site header.
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
