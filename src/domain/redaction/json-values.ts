import { MASK } from './mask.ts'

/**
 * Masks the values of these keys, in lower case, anywhere in a JSON text. Without JSON.parse: the text may be cut, have
 * many lines or a prefix, and the rest of it must not change, as it would by parsing and serializing it.
 */
export function maskJsonValues(text: string, keys: ReadonlySet<string>): string {
  let masked = ''
  let done = 0
  for (let quote = text.indexOf('"'); quote >= 0;) {
    const end = endOfString(text, quote)
    const colon = skipSpace(text, end)
    let next = end
    if (text[colon] === ':' && keys.has(keyOf(text.slice(quote, end)))) {
      const value = skipSpace(text, colon + 1)
      next = endOfValue(text, value)
      if (next > value) {
        masked += `${text.slice(done, value)}"${MASK}"`
        done = next
      }
    }
    quote = text.indexOf('"', Math.max(next, end))
  }
  return done === 0 ? text : masked + text.slice(done)
}

function keyOf(quoted: string): string {
  if (quoted.length > 1000) return ''
  if (!quoted.includes('\\')) return quoted.slice(1, -1).toLowerCase()
  try {
    return String(JSON.parse(quoted)).toLowerCase()
  } catch {
    return ''
  }
}

/** After the closing quote, or the end of the text. */
function endOfString(text: string, start: number): number {
  for (let quote = text.indexOf('"', start + 1); quote >= 0; quote = text.indexOf('"', quote + 1)) {
    let backslashes = 0
    while (text[quote - 1 - backslashes] === '\\') backslashes += 1
    if (backslashes % 2 === 0) return quote + 1
  }
  return text.length
}

function skipSpace(text: string, from: number): number {
  let at = from
  while (text[at] === ' ' || text[at] === '\n' || text[at] === '\r' || text[at] === '\t') at += 1
  return at
}

function endOfValue(text: string, start: number): number {
  const first = text[start]
  if (first === '"') return endOfString(text, start)
  if (first !== '{' && first !== '[') {
    let at = start
    while (at < text.length && !',]} \n\r\t'.includes(text[at]!)) at += 1
    return at
  }
  let depth = 0
  for (let at = start; at < text.length;) {
    const character = text[at]
    if (character === '"') {
      at = endOfString(text, at)
      continue
    }
    at += 1
    if (character === '{' || character === '[') depth += 1
    else if ((character === '}' || character === ']') && --depth === 0) return at
  }
  return text.length
}
