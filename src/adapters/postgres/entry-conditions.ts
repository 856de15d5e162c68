import { ENTRY_VERSION } from '../../contract/entries/upgrades.ts'
import { CUT_FAILURES, OUTCOMES_OF_FAILURES } from '../../contract/entries/network-request.ts'
import { CONSOLE_LEVELS, REQUEST_OUTCOMES, RESOURCE_TYPES } from '../../ports/log-entry.ts'
import type {
  ConsoleFilter,
  EntryFilter,
  NetworkFilter,
  SessionEventKind,
  WebSocketFilter,
} from '../../ports/log-entry.ts'
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
 * What domain/log/entry-filter.ts says of `console`, `network` and `webSocket`, in SQL; null where they narrow nothing. Kinds are not
 * part of it: they choose the index.
 *
 * No stored data makes a statement fail. An entry that a condition cannot judge passes, since a reader may have wanted it: one
 * of a newer version, without the member, or with a level or type that is unknown. It is found to be unreadable when it is read.
 */
export function conditionOfFilter(filter: EntryFilter, parameters: Parameters): string | null {
  const narrowed = (kind: SessionEventKind, conditionsOfKind: () => string[]) => {
    if (filter.kinds && !filter.kinds.includes(kind)) return []
    const conditions = conditionsOfKind()
    if (conditions.length === 0) return []
    return [`(kind <> ${KIND_CODES[kind]} or version > ${ENTRY_VERSION} or (${conditions.join(' and ')}))`]
  }
  const conditions = [
    ...narrowed('CONSOLE_MESSAGE', () => consoleConditions(filter.console ?? {}, parameters)),
    ...narrowed('NETWORK_REQUEST', () => networkConditions(filter.network ?? {}, parameters)),
    ...narrowed('WEB_SOCKET_MESSAGES', () => webSocketConditions(filter.webSocket ?? {}, parameters)),
  ]
  return conditions.length > 0 ? conditions.join(' and ') : null
}

function consoleConditions({ levels, textContains, pageId }: ConsoleFilter, parameters: Parameters): string[] {
  return [
    ...(levels ? [isAmong(`data->>'level'`, levels, CONSOLE_LEVELS, parameters)] : []),
    ...contains('text', textContains, parameters),
    ...(typeof pageId === 'string' ? [equals('pageId', pageId, parameters)] : []),
  ]
}

function networkConditions(filter: NetworkFilter, parameters: Parameters): string[] {
  const { urlContains, methods, resourceTypes, minStatus, maxStatus, outcomes, failedOnly } = filter
  // Compared as JSON, in whose order null is below every number: a cast would fail for what is no number.
  const status = (operator: string, bound: number) =>
    `data->'status' ${operator} to_jsonb(${parameters.add(bound, 'int')})`
  return [
    ...contains('url', urlContains, parameters),
    ...(methods ? [methodIsAmong(methods, parameters)] : []),
    ...(resourceTypes ? [isAmong(`data->>'resourceType'`, resourceTypes, RESOURCE_TYPES, parameters)] : []),
    ...(typeof minStatus === 'number' ? [`(${status('>=', minStatus)}) is not false`] : []),
    ...(typeof maxStatus === 'number'
      ? [`(${status('<=', maxStatus)} and data->'status' <> 'null') is not false`]
      : []),
    ...(outcomes ? [isAmong(OUTCOME, outcomes, REQUEST_OUTCOMES, parameters)] : []),
    ...(failedOnly ? [`(${FAILED} or ${status('>=', 400)}) is not false`] : []),
  ]
}

const quoted = (text: string) => `'${text}'`

/** What the end of the session cut did not fail by itself. */
const FAILED = `(data->'failure' <> 'null' and data->>'failure' <> all(array[${CUT_FAILURES.map(quoted).join()}]))`

/** The version from which entries of requests have an outcome. */
const HAVE_OUTCOME = 3

/** As the upgrade of older entries tells it by their failure. Null: it cannot be told. */
const OUTCOME = `case when version >= ${HAVE_OUTCOME} then data->>'outcome'
  when data->'failure' = 'null' then 'COMPLETED'
  when jsonb_typeof(data->'failure') is distinct from 'string' then null
  ${OUTCOMES_OF_FAILURES.map(whenFailureIsLike).join('\n  ')} else 'FAILED' end`

function whenFailureIsLike([pattern, outcome]: (typeof OUTCOMES_OF_FAILURES)[number]): string {
  return `when data->>'failure' ~ ${quoted(pattern)} then ${quoted(outcome)}`
}

function webSocketConditions(filter: WebSocketFilter, parameters: Parameters): string[] {
  const { webSocketId, pageId, textContains } = filter
  const socket = () => `(data->'webSocketId' = to_jsonb(${parameters.add(webSocketId, 'int')})) is not false`
  return [
    ...(typeof webSocketId === 'number' ? [socket()] : []),
    ...(typeof pageId === 'string' ? [equals('pageId', pageId, parameters)] : []),
    ...(typeof textContains === 'string' ? [someTextContains(textContains, parameters)] : []),
  ]
}

/** Only of a list its items are looked at: of anything else that would be an error. */
function someTextContains(part: string, parameters: Parameters): string {
  if (!isStorable(part)) return 'false'
  const place = parameters.add(part, 'text')
  const items = `jsonb_array_elements(case jsonb_typeof(data->'messages') when 'array' then data->'messages' else '[]' end)`
  return `(jsonb_typeof(data->'messages') is distinct from 'array'
    or exists (select 1 from ${items} as message where strpos(message->>'text', ${place}) > 0))`
}

/** Said by the values that are not wanted, so that one that is unknown passes. */
function isAmong<V extends string>(
  value: string,
  wanted: readonly V[],
  known: readonly V[],
  parameters: Parameters,
): string {
  const others = known.filter((one) => !wanted.includes(one))
  return `((${value}) = any(${parameters.add(others, 'text[]')})) is not true`
}

/** What is stored is well-formed and free of U+0000, and the database takes nothing else for a text. */
const isStorable = (text: string) => text.isWellFormed() && !text.includes('\0')

const equals = (member: string, value: string, parameters: Parameters) =>
  isStorable(value) ? `(data->'${member}' = to_jsonb(${parameters.add(value, 'text')})) is not false` : 'false'

function contains(member: string, part: string | null | undefined, parameters: Parameters): string[] {
  if (typeof part !== 'string') return []
  return [isStorable(part) ? `(strpos(data->>'${member}', ${parameters.add(part, 'text')}) > 0) is not false` : 'false']
}

/** In the collation "C", upper() knows the letters of ASCII and no others. */
function methodIsAmong(methods: readonly string[], parameters: Parameters): string {
  const place = parameters.add(methods.filter(isStorable), 'text[]')
  return `(upper(data->>'method' collate "C") in (select upper(method collate "C") from unnest(${place}) as method)) is not false`
}
