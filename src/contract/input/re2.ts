import { RE2JS } from 're2js'

/** Whether it is a regular expression that runs in linear time for every text. */
export function isRe2(pattern: string): boolean {
  try {
    RE2JS.compile(pattern)
    return true
  } catch {
    return false
  }
}
