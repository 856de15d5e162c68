import { createReadStream } from 'node:fs'

/** It can stand in no string, where its quotes would be escaped. */
const ENTRIES = ',"entries":['

const [QUOTE, BACKSLASH, OPEN, CLOSE, END] = ['"', '\\', '{', '}', ']'].map((character) => character.charCodeAt(0))

/**
 * A HAR that Playwright wrote, which may be large: all that stands before its entries, then each entry, as JSON. Throws
 * when it breaks off.
 */
export async function* readHar(path: string): AsyncGenerator<string> {
  let head: string | null = ''
  let begun = ''
  let [depth, inString, escaped] = [0, false, false]
  for await (const chunk of createReadStream(path, { encoding: 'utf8' })) {
    let text = chunk as string
    if (head !== null) {
      head += text
      const end: number = head.indexOf(ENTRIES)
      if (end < 0) continue
      yield head.slice(0, end + ENTRIES.length)
      text = head.slice(end + ENTRIES.length)
      head = null
    }
    let start = 0
    for (let at = 0; at < text.length; at += 1) {
      const code = text.charCodeAt(at)
      if (escaped) escaped = false
      else if (inString) {
        if (code === QUOTE) inString = false
        else if (code === BACKSLASH) escaped = true
      } else if (code === QUOTE) inString = true
      else if (code === OPEN) {
        if (depth === 0) start = at
        depth += 1
      } else if (code === CLOSE) {
        depth -= 1
        if (depth > 0) continue
        yield begun + text.slice(start, at + 1)
        begun = ''
      } else if (code === END && depth === 0) return
    }
    if (depth > 0) begun += text.slice(start)
  }
  throw new Error('a HAR breaks off')
}
