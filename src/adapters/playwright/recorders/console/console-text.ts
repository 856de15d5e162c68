import { TEXT_LIMITS, type ConsoleValue } from '../../../../ports/log/log-entry.ts'
import type { RemoteObject } from '../../cdp/protocol/cdp-events.ts'

const MORE = '…'
/** Levels of members in a text; deeper objects are shown as {…}. */
const TEXT_DEPTH = 4
/** The text of an error is followed by its own members, then by its causes. */
const APART: ReadonlySet<string> = new Set(['cause', 'errors'])

/** The arguments of console.log(…) as one line of text, similar to a browser's console. */
export function formatConsoleArguments(
  args: readonly RemoteObject[],
  values: readonly (ConsoleValue | null)[],
): string {
  const first = args[0]
  if (args.length === 1 && typeof first?.value === 'string') return first.value
  const format = (index: number) => formatArgument(args[index]!, values[index] ?? null)
  if (args.length > 1 && typeof first?.value === 'string' && first.value.includes('%'))
    return formatDirectives(first.value, args.length, format)
  return args.map((_, index) => format(index)).join(' ')
}

/**
 * %s, %d, %i, %f, %o, %O, %c and %% of the first argument consume those that follow it; %c only affects the style.
 * Directives beyond the displayed part of a text are left unchanged: a message has room for millions, which took half a
 * second.
 */
function formatDirectives(text: string, count: number, format: (index: number) => string): string {
  const directives = /%[sdifoOc%]/g
  let start = ''
  let next = 1
  let from = 0
  while (start.length < TEXT_LIMITS.consoleText) {
    const found = directives.exec(text)
    if (!found) break
    const [directive] = found
    start += text.slice(from, found.index)
    from = directives.lastIndex
    if (directive === '%%') start += '%'
    else if (next >= count) start += directive
    else start += formatDirective(directive, format(next++))
  }
  const rest = Array.from({ length: count - next }, (_, index) => format(next + index))
  return [start + text.slice(from), ...rest].join(' ')
}

function formatDirective(directive: string, text: string): string {
  switch (directive) {
    case '%c':
      return ''
    case '%d':
    case '%i':
      return String(Number.parseInt(text, 10))
    case '%f':
      return String(Number.parseFloat(text))
    default:
      return text
  }
}

/** An argument; strings are not quoted. `value`: its known members. */
export function formatArgument(object: RemoteObject, value: ConsoleValue | null): string {
  if (object.type === 'string') return String(object.value)
  if (object.unserializableValue !== undefined) return object.unserializableValue
  if (object.subtype === 'null') return 'null'
  if (object.type === 'undefined') return 'undefined'
  if (object.type !== 'object') return object.description ?? String(object.value)
  if (object.subtype === 'error')
    return `${object.description ?? 'Error'}${value ? formatErrorMembers(value, true) : ''}`
  if (value === null || object.subtype === 'node') return object.description ?? object.className ?? 'object'
  return formatValue(value, 0)
}

/** The parts of an error beside its own text: members, causes, and aggregated errors. */
export function formatErrorMembers(error: ConsoleValue, withStacks: boolean): string {
  const members = (error.properties ?? []).filter(({ name = '' }) => !APART.has(name))
  const own = members.length > 0 ? ` ${braced(members.map(formatMember(1)), error.truncated)}` : ''
  return own + formatCauses(error, withStacks)
}

/** Causes and aggregated errors of an error, a line each. */
export function formatCauses(error: ConsoleValue, withStacks = true): string {
  const parts: string[] = []
  addCauses(parts, error, withStacks)
  return parts.map((part) => `\n${part}`).join('')
}

function addCauses(parts: string[], error: ConsoleValue, withStacks: boolean): void {
  const cause = error.properties?.find(({ name }) => name === 'cause')
  const errors = error.properties?.find(({ name }) => name === 'errors')
  for (const [index, one] of (errors?.properties ?? []).entries()) {
    if (one.name !== undefined && /^\d+$/.test(one.name)) parts.push(`[${index}] ${formatCause(one, withStacks)}`)
    addCauses(parts, one, withStacks)
  }
  if (!cause) return
  parts.push(`Caused by: ${formatCause(cause, withStacks)}`)
  addCauses(parts, cause, withStacks)
}

function formatCause(value: ConsoleValue, withStacks: boolean): string {
  if (value.subtype !== 'error') return formatValue(value, 1)
  const { description = 'Error' } = value
  const members = (value.properties ?? []).filter(({ name = '' }) => !APART.has(name))
  const own = members.length > 0 ? ` ${braced(members.map(formatMember(1)), value.truncated)}` : ''
  return (withStacks ? description : messageOf(description)) + own
}

/** V8's description of an error is its stack: "TypeError: message", then a line per frame. */
export function messageOf(description: string): string {
  const frames = description.search(/\n {4}at /)
  return frames === -1 ? description : description.slice(0, frames)
}

const braced = (parts: readonly string[], isCut: boolean | undefined) =>
  `{${[...parts, ...(isCut ? [MORE] : [])].join(', ')}}`

function formatMember(depth: number) {
  return (member: ConsoleValue) => `${member.name ?? ''}: ${formatValue(member, depth)}`
}

/** A value within another, or an object: strings are quoted. */
function formatValue(value: ConsoleValue, depth: number): string {
  const { type, subtype, description } = value
  if (type === 'string') return JSON.stringify(value.value ?? '')
  if (type === 'accessor') return '(…)'
  if (type === 'function') return 'ƒ'
  if (type !== 'object' || subtype === 'null') {
    return value.value === undefined ? (description ?? type) : String(value.value)
  }
  if (subtype === 'error') return messageOf(description ?? 'Error')
  if (subtype === 'regexp' || subtype === 'date' || subtype === 'node' || subtype === 'proxy')
    return description ?? subtype
  const isUnread = value.truncated === true && !value.properties && !value.entries
  if (isUnread || depth >= TEXT_DEPTH) return unread(value)
  if (subtype === 'array' || subtype === 'typedarray') return `[${formatItems(value, depth).join(', ')}]`
  const name = description === undefined ? '' : `${description} `
  const entries = value.entries?.map(({ key, value: held }) =>
    key ? `${formatValue(key, depth + 1)} => ${formatValue(held, depth + 1)}` : formatValue(held, depth + 1),
  )
  return name + braced(entries ?? (value.properties ?? []).map(formatMember(depth + 1)), value.truncated)
}

/** A value whose contents were not read. */
function unread({ subtype, description, length }: ConsoleValue): string {
  if (subtype === 'array' && description === undefined) return `Array(${length ?? MORE})`
  return description === undefined ? `{${MORE}}` : description
}

/** Items of an array, including its holes, which the browser omits, then its other properties. */
function formatItems({ properties = [], length, truncated }: ConsoleValue, depth: number): string[] {
  const items: string[] = []
  const named: string[] = []
  let next = 0
  const skipTo = (index: number) => {
    if (index > next) items.push(index - next === 1 ? 'empty' : `empty × ${index - next}`)
    next = index
  }
  for (const property of properties) {
    const { name = '' } = property
    if (!/^\d+$/.test(name)) {
      named.push(formatMember(depth + 1)(property))
      continue
    }
    skipTo(Number(name))
    items.push(formatValue(property, depth + 1))
    next++
  }
  // Omitted items are not necessarily holes.
  if (!truncated) skipTo(length ?? next)
  return [...items, ...named, ...(truncated ? [MORE] : [])]
}
