import { ARGUMENT_LIMITS, type ConsoleValue } from '../../../../ports/log/log-entry.ts'
import type { ObjectPreview, PropertyPreview, RemoteObject } from '../../cdp/protocol/cdp-events.ts'
import { startOfText } from '../../cdp/protocol/cut-text.ts'

type EntryPreview = NonNullable<ObjectPreview['entries']>[number]

/** Bytes of a value beside its own members: its lists, its marks, a comma. */
const FRAME_BYTES = 64
/** UTF-16 code units of a function's source: enough to identify it. */
const FUNCTION_TEXT = 1_024
/** The browser abbreviates strings in a preview to this length, in the middle. */
const PREVIEW_TEXT = 100
const CUT_MARK = '…'
/** Subtypes whose description is all that is known, or all that is useful. */
const LEAVES: ReadonlySet<string> = new Set(['date', 'node', 'null', 'regexp'])
/** Members of an error that its description contains. */
const IN_DESCRIPTION: ReadonlySet<string> = new Set(['message', 'stack'])
const INDEX = /^\d+$/

/** Bytes left for the arguments of one line, and the number of values that did not fit. */
export class ValueBudget {
  omitted = 0
  #left: number = ARGUMENT_LIMITS.bytes

  /** Whether there is room for a value, without its members. */
  take(value: ConsoleValue): boolean {
    const bytes = Buffer.byteLength(JSON.stringify(value)) + FRAME_BYTES
    if (bytes > this.#left) {
      this.omitted += 1
      return false
    }
    this.#left -= bytes
    return true
  }
}

/** A value with the members that the browser sent with it; null: there is no room. */
export function valueOf(object: RemoteObject, budget: ValueBudget, name?: string): ConsoleValue | null {
  const value: ConsoleValue = name === undefined ? { type: object.type } : { name, type: object.type }
  describe(value, object)
  if (!budget.take(value)) return null
  if (object.preview) addPreview(value, object.preview, budget)
  return value
}

function describe(value: ConsoleValue, object: RemoteObject): void {
  const { type, subtype, className, description } = object
  if (type === 'string') return setText(value, 'value', String(object.value), ARGUMENT_LIMITS.text)
  if (object.unserializableValue !== undefined) return setText(value, 'description', object.unserializableValue, 64)
  if (subtype === 'null') return setNull(value)
  if (type === 'number' || type === 'boolean') {
    value.value = object.value as number | boolean
    return
  }
  if (subtype !== undefined) value.subtype = subtype
  if (className !== undefined && !['Array', 'Function', 'Object'].includes(className))
    setText(value, 'className', className, 256)
  if (description !== undefined) setDescription(value, description)
}

function setNull(value: ConsoleValue): void {
  value.subtype = 'null'
  value.value = null
}

function setText(
  value: ConsoleValue,
  member: 'value' | 'description' | 'className',
  text: string,
  limit: number,
): void {
  value[member] = startOfText(text, limit)
  if (text.length <= limit) return
  value.length = text.length
  value.truncated = true
}

function setDescription(value: ConsoleValue, description: string): void {
  const length = lengthIn(value.subtype, description)
  if (length !== null) value.length = length
  if (description === 'Object' && value.subtype === undefined) return
  if (length !== null && description === `Array(${length})`) return
  setText(value, 'description', description, value.type === 'function' ? FUNCTION_TEXT : ARGUMENT_LIMITS.text)
}

/** Length in "Array(3)", "Map(1)" and the like. */
function lengthIn(subtype: string | undefined, description: string): number | null {
  if (!['array', 'typedarray', 'map', 'set', 'weakmap', 'weakset'].includes(subtype ?? '')) return null
  const [, digits] = /\((\d+)\)$/.exec(description) ?? []
  return digits === undefined ? null : Number(digits)
}

function addPreview(value: ConsoleValue, preview: ObjectPreview, budget: ValueBudget): void {
  const { subtype, overflow } = preview
  if (preview.type !== 'object' || LEAVES.has(subtype ?? '')) return
  const properties: ConsoleValue[] = []
  let isCut = overflow
  for (const property of preview.properties) {
    if (subtype === 'error' && IN_DESCRIPTION.has(property.name)) continue
    if ((subtype === 'map' || subtype === 'set') && property.name === 'size') continue
    // A typed array also lists its buffer and related properties, which are no elements.
    if (subtype === 'typedarray' && !INDEX.test(property.name)) continue
    const member = valueOfProperty(property, budget)
    if (member) properties.push(member)
    else isCut = true
  }
  if (properties.length > 0) value.properties = properties
  if (preview.entries) {
    value.entries = []
    for (const entry of preview.entries) {
      const known = entryOf(entry, budget)
      if (known) value.entries.push(known)
      else isCut = true
    }
  }
  if (isCut) value.truncated = true
}

export function valueOfProperty(property: PropertyPreview, budget: ValueBudget): ConsoleValue | null {
  const { name, type, subtype, value: text, valuePreview } = property
  const value: ConsoleValue = { name, type }
  if (type === 'string') setPreviewText(value, text ?? '')
  else if (subtype === 'null') setNull(value)
  else if (type === 'number' || type === 'boolean') setPrimitive(value, text ?? '')
  else if (type !== 'undefined' && type !== 'accessor') {
    if (subtype !== undefined) value.subtype = subtype
    // An abbreviated source is misleading, and in previews the browser sends only "".
    if (type !== 'function' && text !== undefined) setDescription(value, text)
  }
  if (!budget.take(value)) return null
  if (valuePreview) addPreview(value, valuePreview, budget)
  else if (type === 'object' && !isWhole(value, text ?? '')) value.truncated = true
  return value
}

function entryOf(
  { key, value }: EntryPreview,
  budget: ValueBudget,
): { key?: ConsoleValue; value: ConsoleValue } | null {
  const known = valueOfPreview(value, budget)
  const ofKey = key && valueOfPreview(key, budget)
  if (!known || ofKey === null) return null
  return ofKey ? { key: ofKey, value: known } : { value: known }
}

function valueOfPreview(preview: ObjectPreview, budget: ValueBudget): ConsoleValue | null {
  const { type, subtype, description = '' } = preview
  const value: ConsoleValue = { type }
  if (type === 'string') setPreviewText(value, description)
  else if (subtype === 'null') setNull(value)
  else if (type === 'number' || type === 'boolean') setPrimitive(value, description)
  else if (type !== 'undefined') {
    if (subtype !== undefined) value.subtype = subtype
    if (type !== 'function') setDescription(value, description)
  }
  if (!budget.take(value)) return null
  addPreview(value, preview, budget)
  return value
}

function setPreviewText(value: ConsoleValue, text: string): void {
  value.value = text
  if (isAbbreviated(text)) value.truncated = true
}

const isAbbreviated = (text: string) => text.length >= PREVIEW_TEXT && text.includes(CUT_MARK)

function setPrimitive(value: ConsoleValue, text: string): void {
  if (value.type === 'boolean') value.value = text === 'true'
  else if (Number.isFinite(Number(text)) && text !== '-0') value.value = Number(text)
  else value.description = text
}

/** Whether an object with only a description has no further contents. */
function isWhole({ subtype, length }: ConsoleValue, text: string): boolean {
  if (subtype === 'error') return false
  return length === 0 || (subtype !== undefined && LEAVES.has(subtype) && !isAbbreviated(text))
}

/** Number of values that are marked as truncated. */
export function countTruncated(values: readonly ConsoleValue[]): number {
  let count = 0
  for (const value of values) {
    if (value.truncated) count += 1
    if (value.properties) count += countTruncated(value.properties)
    for (const { key, value: held } of value.entries ?? []) count += countTruncated(key ? [key, held] : [held])
  }
  return count
}
