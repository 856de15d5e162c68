import { RE2JS } from 're2js'

/** Whether it is a regular expression that takes time in proportion to the text, whatever the text is. */
export function isRe2(pattern: string): boolean {
  try {
    RE2JS.compile(pattern)
    return true
  } catch {
    return false
  }
}
