import { TEXT_LIMITS } from '../../../../ports/log-entry.ts'

/**
 * The start of a text, at most `limit` code units. A cut text is copied, for a slice would keep the whole megabyte
 * that it was cut from alive; as UTF-16, which keeps lone surrogates as they are (the domain repairs them).
 */
export function startOfText(text: string, limit: number): string {
  return text.length <= limit ? text : Buffer.from(text.slice(0, limit), 'utf16le').toString('utf16le')
}

/** The same for a text that has no count of its own of what is missing: a cut one ends in an ellipsis, and so says so. */
export function cutText(text: string, limit: number): string {
  return text.length <= limit ? text : `${startOfText(text, limit - 1)}…`
}

export function cutUrl(url: string): string {
  return cutText(url, TEXT_LIMITS.url)
}
