import type { ConsoleFilter, EntryFilter, NetworkFilter, SessionEventKind } from '../../ports/log-entry.ts'
import { KIND_CODES } from './tables.ts'

/** Collects the values of a statement and gives each its place. */
export class Parameters {
  readonly values: unknown[]

  constructor(values: readonly unknown[]) {
    this.values = [...values]
  }

  add(value: unknown, type: string): string {
    this.values.push(value)
    return `$${this.values.length}::${type}`
  }
}

/**
 * What domain/log/entry-filter.ts says of `console` and `network`, in SQL; null where they narrow nothing. Kinds are not
 * part of it: they choose the index.
 */
export function conditionOfFilter(filter: EntryFilter, parameters: Parameters): string | null {
  const narrowed = (kind: SessionEventKind, conditionsOfKind: () => string[]) => {
    if (filter.kinds && !filter.kinds.includes(kind)) return []
    const conditions = conditionsOfKind()
    return conditions.length > 0 ? [`(kind <> ${KIND_CODES[kind]} or (${conditions.join(' and ')}))`] : []
  }
  const conditions = [
    ...narrowed('CONSOLE_MESSAGE', () => consoleConditions(filter.console ?? {}, parameters)),
    ...narrowed('NETWORK_REQUEST', () => networkConditions(filter.network ?? {}, parameters)),
  ]
  return conditions.length > 0 ? conditions.join(' and ') : null
}

function consoleConditions({ levels, textContains, pageId }: ConsoleFilter, parameters: Parameters): string[] {
  return [
    ...(levels ? [`data->>'level' = any(${parameters.add(levels, 'text[]')})`] : []),
    ...contains('text', textContains, parameters),
    ...(typeof pageId === 'string' ? [equals('pageId', pageId, parameters)] : []),
  ]
}

function networkConditions(filter: NetworkFilter, parameters: Parameters): string[] {
  const { urlContains, methods, resourceTypes, minStatus, maxStatus, failedOnly } = filter
  const status = `(data->>'status')::int`
  return [
    ...contains('url', urlContains, parameters),
    ...(methods ? [methodIsAmong(methods, parameters)] : []),
    ...(resourceTypes ? [`data->>'resourceType' = any(${parameters.add(resourceTypes, 'text[]')})`] : []),
    ...(typeof minStatus === 'number' ? [`${status} >= ${parameters.add(minStatus, 'int')}`] : []),
    ...(typeof maxStatus === 'number' ? [`${status} <= ${parameters.add(maxStatus, 'int')}`] : []),
    ...(failedOnly ? [`(data->>'failure' is not null or ${status} >= 400)`] : []),
  ]
}

/** What is stored is well-formed and free of U+0000, and the database takes nothing else for a text. */
const isStorable = (text: string) => text.isWellFormed() && !text.includes('\0')

const equals = (member: string, value: string, parameters: Parameters) =>
  isStorable(value) ? `data->>'${member}' = ${parameters.add(value, 'text')}` : 'false'

function contains(member: string, part: string | null | undefined, parameters: Parameters): string[] {
  if (typeof part !== 'string') return []
  return [isStorable(part) ? `strpos(data->>'${member}', ${parameters.add(part, 'text')}) > 0` : 'false']
}

/** In the collation "C", upper() knows the letters of ASCII and no others. */
function methodIsAmong(methods: readonly string[], parameters: Parameters): string {
  const place = parameters.add(methods.filter(isStorable), 'text[]')
  return `upper(data->>'method' collate "C") in (select upper(method collate "C") from unnest(${place}) as method)`
}
