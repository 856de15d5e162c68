import type { CdpConnection } from '../connection/cdp-connection.ts'

/** Of what is compared. */
const COMPARED = 200

/**
 * The title of a page, or empty. For a page without one the browser's list of targets has its URL, as people would read it;
 * its history has the title alone, and is known to the browser without asking the page. Never rejects.
 */
export async function titleOf(wire: Pick<CdpConnection, 'send'>, sessionId: string | null): Promise<string> {
  if (sessionId === null) return ''
  try {
    const { entries, currentIndex } = await wire.send('Page.getNavigationHistory', {}, sessionId)
    return entries[currentIndex]?.title ?? ''
  } catch {
    return ''
  }
}

/** How a URL without its scheme begins. While a page is on its way, that of where it goes is its title already. */
const HOST = /^(?:[a-z]+:|\[[\da-f:]+\]|localhost\b|[^\s/?#]+[.:][^\s/?#]+)/i

/** Whether it may be how the browser shows a URL: it leaves out the scheme, decodes escapes, and names of hosts too. */
export function mayBeUrl(title: string, url: string): boolean {
  if (title === '') return false
  if (HOST.test(title)) return true
  if (/^[a-z]+:\/\/[^/]*xn--/i.test(url)) return true
  const [shown, full] = [skeletonOf(title), skeletonOf(url)]
  return shown === '' ? full === '' : shown === full || shown === skeletonOf(url.replace(/^[a-z]+:\/*/i, ''))
}

/** Letters and digits of ASCII, but for those that may be escaped. */
const skeletonOf = (text: string) =>
  text
    .slice(0, COMPARED * 6)
    .replace(/%[0-9a-f]{2}/gi, '')
    .replace(/[^a-z0-9]/gi, '')
    .toLowerCase()
    .slice(0, COMPARED)
