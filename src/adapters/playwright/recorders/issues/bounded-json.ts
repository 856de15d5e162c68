import { cutText } from '../../cdp/protocol/cut-text.ts'
import type { Json } from '../../../../ports/base/json.ts'

interface Bounds {
  /** Members and elements at all levels. */
  values: number
  depth: number
  /** UTF-16 code units of each string. */
  text: number
}

/** A bounded copy of the browser's data; `without`: names of members to omit. */
export function boundedJson(value: object, bounds: Bounds, without: ReadonlySet<string>) {
  let left = bounds.values
  let omitted = 0
  const copyOf = (part: unknown, depth: number): Json | undefined => {
    left -= 1
    if (typeof part === 'string') {
      if (part.length > bounds.text) omitted += 1
      return cutText(part, bounds.text)
    }
    if (typeof part !== 'object' || part === null) return part as Json
    if (depth === 0) {
      omitted += 1
      return undefined
    }
    const members = Object.entries(part).filter(([name]) => !without.has(name))
    const kept = members.slice(0, Math.max(0, left))
    omitted += members.length - kept.length
    const copies = kept.map(([name, member]) => [name, copyOf(member, depth - 1)] as const)
    const whole = copies.filter((copy): copy is [string, Json] => copy[1] !== undefined)
    return Array.isArray(part) ? whole.map(([, member]) => member) : Object.fromEntries(whole)
  }
  return { json: copyOf(value, bounds.depth) as Record<string, Json>, omitted }
}
