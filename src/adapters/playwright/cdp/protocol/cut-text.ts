import { TEXT_LIMITS } from '../../../../ports/log/log-entry.ts'

/**
 * The start of a text, at most `limit` code units. A cut text is copied, because a slice would keep the whole megabyte
 * alive; as UTF-16, which preserves lone surrogates (the domain repairs them).
 */
export function startOfText(text: string, limit: number): string {
  return text.length <= limit ? text : Buffer.from(text.slice(0, limit), 'utf16le').toString('utf16le')
}

/** The same for a text without a count of the missing part: a cut one ends in an ellipsis. */
export function cutText(text: string, limit: number): string {
  return text.length <= limit ? text : `${startOfText(text, limit - 1)}…`
}

export function cutUrl(url: string): string {
  return cutText(url, TEXT_LIMITS.url)
}
