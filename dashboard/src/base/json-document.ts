/** A number as it was sent, where JavaScript would round it, such as 64-bit ids. */
class ExactNumber {
  readonly source: string

  constructor(source: string) {
    this.source = source
  }
}

export type JsonLeaf = string | number | boolean | null | ExactNumber
export type JsonBranch = readonly JsonNode[] | { readonly [name: string]: JsonNode }
export type JsonNode = JsonLeaf | JsonBranch

/** Indexes of members, from the root: the second member of the first one is [0, 1]. */
export type JsonPath = readonly number[]

/** Longer documents take seconds to search. They are shown as text. */
const MAX_CHARACTERS = 4_000_000
/** Each level is a nested element. */
const MAX_DEPTH = 100

const MAY_BE_ROUNDED = /\d{16}|\d[eE]\+?\d{3}/

type Parse = (
  text: string,
  reviver?: (name: string, value: unknown, context?: { source?: string }) => unknown,
) => unknown

/** The object or list in the text. Null if there is none, or if it is too large or too deep for a tree. */
export function jsonOf(text: string): JsonBranch | null {
  if (text.length > MAX_CHARACTERS || !/^\s*[[{]/.test(text)) return null
  try {
    const root = (JSON.parse as Parse)(text, MAY_BE_ROUNDED.test(text) ? keepExact : undefined) as JsonBranch
    return isTooDeep(root) ? null : root
  } catch {
    return null
  }
}

function keepExact(_name: string, value: unknown, context?: { source?: string }): unknown {
  const source = context?.source
  if (typeof value !== 'number' || source === undefined) return value
  const isRounded = !Number.isFinite(value) || (/^-?\d+$/.test(source) && !Number.isSafeInteger(value))
  return isRounded ? new ExactNumber(source) : value
}

export const isBranch = (value: JsonNode): value is JsonBranch =>
  typeof value === 'object' && value !== null && !(value instanceof ExactNumber)

/** Names of members; null for a list, whose members have numbers. */
export const namesOf = (value: JsonBranch): readonly string[] | null =>
  Array.isArray(value) ? null : Object.keys(value)

export const memberOf = (value: JsonBranch, names: readonly string[] | null, index: number): JsonNode =>
  names ? (value as Record<string, JsonNode>)[names[index]!]! : (value as readonly JsonNode[])[index]!

export const sizeOf = (value: JsonBranch, names: readonly string[] | null): number =>
  names ? names.length : (value as readonly JsonNode[]).length

/** Text to display and search. */
export function leafText(value: JsonLeaf): string {
  if (value instanceof ExactNumber) return value.source
  return typeof value === 'string' ? value : String(value)
}

/** Visits members in order until `visit` stops. Not recursive: pages control the depth. */
function walk(root: JsonBranch, visit: (path: number[], name: string | null, value: JsonNode) => boolean): void {
  const frame = (value: JsonBranch) => ({ value, names: namesOf(value), next: 0 })
  const frames = [frame(root)]
  const path: number[] = []
  for (;;) {
    const last = frames.at(-1)
    if (!last) return
    if (last.next === sizeOf(last.value, last.names)) {
      frames.pop()
      path.pop()
      continue
    }
    const index = last.next
    last.next += 1
    const value = memberOf(last.value, last.names, index)
    path.push(index)
    if (!visit(path, last.names?.[index] ?? null, value)) return
    if (isBranch(value)) frames.push(frame(value))
    else path.pop()
  }
}

function isTooDeep(root: JsonBranch): boolean {
  let deepest = 0
  walk(root, (path) => {
    deepest = Math.max(deepest, path.length)
    return deepest <= MAX_DEPTH
  })
  return deepest > MAX_DEPTH
}

/** The first `limit` members whose name or value contains the text, ignoring case. */
export function findInJson(root: JsonBranch, pattern: RegExp, limit: number): JsonPath[] {
  const found: JsonPath[] = []
  const matches = new RegExp(pattern.source, 'i')
  walk(root, (path, name, value) => {
    const isHit = (name !== null && matches.test(name)) || (!isBranch(value) && matches.test(leafText(value)))
    if (isHit) found.push([...path])
    return found.length < limit
  })
  return found
}
