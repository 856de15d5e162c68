import { ARGUMENT_LIMITS, type ConsoleValue } from '../../../../ports/log/log-entry.ts'
import type { CdpConnection } from '../../cdp/connection/cdp-connection.ts'
import type { CdpResult } from '../../cdp/protocol/cdp-commands.ts'
import type { RemoteObject } from '../../cdp/protocol/cdp-events.ts'
import { valueOf, valueOfProperty, type ValueBudget } from './console-value.ts'

/** Most round trips per second that a session may use to read members of logged values; documented in docs/log.md. */
const TRIPS_PER_SECOND = 100
/** Limit of one line. */
const TRIPS_PER_LINE = 32
/** Concurrent lines: in a burst the others keep only their previews. */
const MAX_LINES = 16
/** A slower round trip counts as several: one for each of these. Measured: 0.3 to 2 ms, on a busy machine 150. */
const USUAL_MS = 50
/** A member is read with its strings, however long they are; this many UTF-16 code units count as a round trip. */
const TEXT_PER_TRIP = 16_384
/**
 * Most members of an object that is read. The browser reads all or none: measured, an object of 100,000 members blocks
 * its page for 12 s.
 */
const MAX_MEMBERS = 500
/** Counts without running code of the page: the browser terminates it if it would have a side effect. */
const COUNT_MEMBERS = `function () { let count = 0; for (const name in this) if (++count > ${MAX_MEMBERS}) break; return count }`

type Properties = CdpResult<'Runtime.getProperties'>
type Property = Properties['result'][number]
type Entry = NonNullable<ConsoleValue['entries']>[number]

/** An object with more contents than the browser sent with its line. */
interface Unread {
  value: ConsoleValue
  objectId: string
}

/** One line whose values are read further, until `isOver`. */
export class DeepLine {
  readonly budget: ValueBudget
  readonly sessionId: string
  readonly unread: Unread[] = []
  trips = 0
  /** Its entry was created: its values must not change any more. */
  isOver = false

  constructor(budget: ValueBudget, sessionId: string) {
    this.budget = budget
    this.sessionId = sessionId
  }

  /** Remembers the parts of an argument that are worth reading. */
  note(object: RemoteObject, value: ConsoleValue | null): void {
    const { objectId } = object
    if (value && objectId !== undefined && isReadable(value) && isUnread(value)) this.unread.push({ value, objectId })
  }
}

/**
 * Reads what is missing from the previews that the browser sends with a line: own members, without running getters.
 * These have their current state, and are marked accordingly. A budget of round trips keeps pages that log much from
 * being slowed down.
 */
export class DeepValues {
  readonly #connection: Pick<CdpConnection, 'send'>
  readonly #lines = new Set<DeepLine>()
  /** Sessions that have not responded in time: they are not asked again until they respond. */
  readonly #late = new Set<string>()
  #trips = TRIPS_PER_SECOND
  #countedAt = performance.now()

  constructor(connection: Pick<CdpConnection, 'send'>) {
    this.#connection = connection
  }

  /** Whether a line may be read further now. */
  canRead(line: DeepLine): boolean {
    if (line.unread.length === 0 || this.#lines.size >= MAX_LINES || this.#late.has(line.sessionId)) return false
    const now = performance.now()
    this.#trips = Math.min(TRIPS_PER_SECOND, this.#trips + ((now - this.#countedAt) / 1_000) * TRIPS_PER_SECOND)
    this.#countedAt = now
    return this.#trips >= 1
  }

  /** Whether lines of the session are being read. */
  isReading(sessionId: string): boolean {
    return [...this.#lines].some((line) => line.sessionId === sessionId)
  }

  /** Resolves when everything allowed was read. Never rejects: unreadable values keep their previews. */
  async read(line: DeepLine): Promise<void> {
    this.#lines.add(line)
    try {
      let level = line.unread
      for (let depth = 1; depth <= ARGUMENT_LIMITS.depth && level.length > 0 && !line.isOver; depth += 1) {
        const below = await Promise.all(level.map((unread) => this.#readObject(line, unread)))
        level = below.flat()
      }
    } finally {
      this.#lines.delete(line)
      this.#late.delete(line.sessionId)
    }
  }

  async #readObject(line: DeepLine, { value, objectId }: Unread): Promise<Unread[]> {
    try {
      if (value.subtype === 'map' || value.subtype === 'set') return await this.#readEntries(line, value, objectId)
      if (value.truncated && value.subtype !== 'array' && (await this.#isHuge(line, objectId))) return []
      const { result } = await this.#properties(line, objectId)
      return line.isOver ? [] : addMembers(value, result, line.budget)
    } catch {
      // The object is gone, the page is unresponsive, or there are no round trips left.
      return []
    }
  }

  async #isHuge(line: DeepLine, objectId: string): Promise<boolean> {
    const params = { objectId, functionDeclaration: COUNT_MEMBERS, returnByValue: true, throwOnSideEffect: true }
    const { result, exceptionDetails } = await this.#ask(line, () =>
      this.#connection.send('Runtime.callFunctionOn', params, line.sessionId),
    )
    return exceptionDetails !== undefined || typeof result.value !== 'number' || result.value > MAX_MEMBERS
  }

  async #readEntries(line: DeepLine, value: ConsoleValue, objectId: string): Promise<Unread[]> {
    const { internalProperties = [] } = await this.#properties(line, objectId)
    const list = internalProperties.find(({ name }) => name === '[[Entries]]')?.value?.objectId
    if (list === undefined) return []
    const { result } = await this.#properties(line, list)
    const found = result.filter(({ name, value: entry }) => /^\d+$/.test(name) && entry !== undefined)
    const known = value.entries ?? []
    const read = await Promise.all(
      found
        .slice(0, ARGUMENT_LIMITS.members)
        .map(async ({ value: entry }, index): Promise<[Entry | null, Unread[]]> => {
          const before = known[index]
          if (before && !isUnread(before.value) && !(before.key && isUnread(before.key))) return [before, []]
          return (await this.#readEntry(line, entry!)) ?? [before ?? null, []]
        }),
    )
    if (line.isOver) return []
    const entries = read.map(([entry]) => entry)
    value.entries = entries.filter((entry) => entry !== null)
    if (value.entries.length === found.length) delete value.truncated
    return read.flatMap(([, unread]) => unread)
  }

  async #readEntry(line: DeepLine, { objectId, preview }: RemoteObject): Promise<[Entry, Unread[]] | null> {
    const unread: Unread[] = []
    const parts = new Map<string, ConsoleValue>()
    const properties = preview?.properties ?? []
    if (
      properties.every(
        ({ type, subtype, value = '' }) => (type !== 'object' || subtype === 'null') && value.length < 100,
      )
    ) {
      for (const property of properties) {
        const { name, ...part } = valueOfProperty(property, line.budget) ?? { name: '' }
        if (name) parts.set(name, { ...(part as ConsoleValue), later: true })
      }
    } else if (objectId !== undefined) {
      try {
        const { result } = await this.#properties(line, objectId)
        for (const { name, value: object } of result) {
          const part = object && valueOf(object, line.budget)
          if (!part) continue
          part.later = true
          parts.set(name, part)
          if (object.objectId !== undefined && isReadable(part) && isUnread(part)) {
            unread.push({ value: part, objectId: object.objectId })
          }
        }
      } catch {
        return null
      }
    }
    const value = parts.get('value')
    const key = parts.get('key')
    return value ? [key ? { key, value } : { value }, unread] : null
  }

  async #properties(line: DeepLine, objectId: string): Promise<Properties> {
    const params = { objectId, ownProperties: true, generatePreview: true }
    const properties = await this.#ask(line, () =>
      this.#connection.send('Runtime.getProperties', params, line.sessionId),
    )
    let text = 0
    for (const { value } of properties.result) if (value?.type === 'string') text += String(value.value).length
    this.#trips -= text / TEXT_PER_TRIP
    return properties
  }

  async #ask<T>(line: DeepLine, send: () => Promise<T>): Promise<T> {
    if (line.isOver || this.#trips < 1 || line.trips >= TRIPS_PER_LINE) throw new Error('no round trip is left')
    this.#trips -= 1
    line.trips += 1
    const start = performance.now()
    try {
      return await send()
    } finally {
      this.#trips -= Math.floor((performance.now() - start) / USUAL_MS)
    }
  }

  /** The line no longer waits. */
  end(line: DeepLine): void {
    if (line.isOver) return
    line.isOver = true
    if (this.#lines.has(line)) this.#late.add(line.sessionId)
  }

  sessionEnded(sessionId: string): void {
    this.#late.delete(sessionId)
  }
}

/** For other subtypes the description is complete, or the members are useless. */
function isReadable({ subtype, length = 0 }: ConsoleValue): boolean {
  if (subtype === undefined || subtype === 'error') return true
  return (subtype === 'array' || subtype === 'map' || subtype === 'set') && length <= MAX_MEMBERS
}

/** Whether a part of a value, at any depth, was not sent. */
function isUnread({ truncated, properties = [], entries = [] }: ConsoleValue): boolean {
  return (
    truncated === true ||
    properties.some(isUnread) ||
    entries.some(({ key, value }) => isUnread(value) || (key && isUnread(key)))
  )
}

/** Adds the current members of an object to those known when it was logged, which are kept. */
function addMembers(value: ConsoleValue, found: readonly Property[], budget: ValueBudget): Unread[] {
  const unread: Unread[] = []
  const isError = value.subtype === 'error'
  const members = (value.properties ??= [])
  const known = new Map(members.map((member) => [member.name, member]))
  let isWhole = true
  for (const { name, value: object, enumerable, isOwn } of found) {
    const isShown = enumerable || known.has(name) || (isError && (name === 'cause' || name === 'errors'))
    if (isOwn === false || !isShown || (isError && (name === 'stack' || name === 'message'))) continue
    const before = known.get(name)
    if (before && !isUnread(before)) continue
    if (!before && members.length >= ARGUMENT_LIMITS.members) {
      isWhole = false
      budget.omitted += 1
      continue
    }
    const member = before ? update(before, object, budget) : added(members, name, object, budget)
    if (!member) isWhole = isWhole && before !== undefined
    else if (object?.objectId !== undefined && isReadable(member) && isUnread(member)) {
      unread.push({ value: member, objectId: object.objectId })
    }
  }
  if (isWhole) delete value.truncated
  if (members.length === 0) delete value.properties
  return unread
}

function added(
  members: ConsoleValue[],
  name: string,
  object: RemoteObject | undefined,
  budget: ValueBudget,
): ConsoleValue | null {
  const accessor: ConsoleValue = { name, type: 'accessor' }
  const member = object ? valueOf(object, budget, name) : budget.take(accessor) ? accessor : null
  if (!member) return null
  member.later = true
  members.push(member)
  return member
}

/** Null: it has changed meanwhile. */
function update(before: ConsoleValue, object: RemoteObject | undefined, budget: ValueBudget): ConsoleValue | null {
  if (!object || object.type !== before.type || object.subtype !== before.subtype) return null
  if (before.type === 'string') {
    const text = String(object.value)
    const [start = '', end = ''] = String(before.value).split('…', 2)
    if (!text.startsWith(start) || !text.endsWith(end)) return null
  }
  const after = valueOf(object, budget, before.name)
  if (!after) return null
  delete before.truncated
  Object.assign(before, after, { later: true })
  return before
}
