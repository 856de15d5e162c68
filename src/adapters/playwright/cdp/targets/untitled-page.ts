import type { CdpConnection } from '../connection/cdp-connection.ts'

/** Number of code units that are compared. */
const COMPARED = 200

/**
 * The title of a page, or an empty string. For a page without one the browser's list of targets has its URL as
 * displayed; its history has only the title, and the browser knows it without asking the page. Never rejects.
 */
export async function titleOf(connection: Pick<CdpConnection, 'send'>, sessionId: string | null): Promise<string> {
  if (sessionId === null) return ''
  try {
    const { entries, currentIndex } = await connection.send('Page.getNavigationHistory', {}, sessionId)
    return entries[currentIndex]?.title ?? ''
  } catch {
    return ''
  }
}

/** The beginning of a URL without its scheme. During a navigation, the title is already the URL of the destination. */
const HOST = /^(?:[a-z]+:|\[[\da-f:]+\]|localhost\b|[^\s/?#]+[.:][^\s/?#]+)/i

/** Whether it may be the browser's display form of a URL, which omits the scheme and decodes escapes and host names. */
export function mayBeUrl(title: string, url: string): boolean {
  if (title === '') return false
  if (HOST.test(title)) return true
  if (/^[a-z]+:\/\/[^/]*xn--/i.test(url)) return true
  const [shown, full] = [skeletonOf(title), skeletonOf(url)]
  return shown === '' ? full === '' : shown === full || shown === skeletonOf(url.replace(/^[a-z]+:\/*/i, ''))
}

/** ASCII letters and digits, except those that may be escaped. */
const skeletonOf = (text: string) =>
  text
    .slice(0, COMPARED * 6)
    .replace(/%[0-9a-f]{2}/gi, '')
    .replace(/[^a-z0-9]/gi, '')
    .toLowerCase()
    .slice(0, COMPARED)
