import { ENTRY_VERSION } from '../../../contract/entries/upgrades.ts'
import { CUT_FAILURES, OUTCOMES_OF_FAILURES } from '../../../contract/entries/network-request.ts'
import { CONSOLE_LEVELS, REQUEST_OUTCOMES, RESOURCE_TYPES } from '../../../ports/log/log-entry.ts'
import type {
  ConsoleFilter,
  EntryFilter,
  EventSourceFilter,
  NetworkFilter,
  SessionEventKind,
  WebSocketFilter,
} from '../../../ports/log/log-entry.ts'
import { KIND_CODES } from '../base/tables.ts'

/** Collects the parameters of a statement and numbers them. */
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
 * The filters `console`, `network`, `webSocket` and `eventSource` of domain/log/entries/entry-filter.ts, in SQL; null if they have no effect.
 * Kinds are not part of it: they choose the index.
 *
 * No stored data makes a statement fail. An entry that a condition cannot evaluate passes, since it may match: one of a
 * newer version, without the member, or with an unknown level or type. It is found to be unreadable when it is read.
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
    ...narrowed('EVENT_SOURCE_MESSAGES', () => eventSourceConditions(filter.eventSource ?? {}, parameters)),
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
  // Compared as JSON, where null sorts below every number: a cast would fail for values that are not numbers.
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

/** Requests cut off by the end of the session did not fail by themselves. */
const FAILED = `(data->'failure' <> 'null' and data->>'failure' <> all(array[${CUT_FAILURES.map(quoted).join()}]))`

/** The version in which entries of requests got an outcome. */
const HAVE_OUTCOME = 3

/** As in the upgrade of older entries, derived from their failure. Null: unknown. */
const OUTCOME = `case when version >= ${HAVE_OUTCOME} then data->>'outcome'
  when data->'failure' = 'null' then 'COMPLETED'
  when jsonb_typeof(data->'failure') is distinct from 'string' then null
  ${OUTCOMES_OF_FAILURES.map(whenFailureIsLike).join('\n  ')} else 'FAILED' end`

function whenFailureIsLike([pattern, outcome]: (typeof OUTCOMES_OF_FAILURES)[number]): string {
  return `when data->>'failure' ~ ${quoted(pattern)} then ${quoted(outcome)}`
}

function webSocketConditions(filter: WebSocketFilter, parameters: Parameters): string[] {
  const { webSocketId, pageId, textContains } = filter
  return [
    ...(typeof webSocketId === 'number' ? [equals('webSocketId', webSocketId, parameters)] : []),
    ...(typeof pageId === 'string' ? [equals('pageId', pageId, parameters)] : []),
    ...(typeof textContains === 'string' ? [someMessageContains('text', textContains, parameters)] : []),
  ]
}

function eventSourceConditions(filter: EventSourceFilter, parameters: Parameters): string[] {
  const { networkRequestId, pageId, textContains } = filter
  return [
    ...(typeof networkRequestId === 'number' ? [equals('requestId', networkRequestId, parameters)] : []),
    ...(typeof pageId === 'string' ? [equals('pageId', pageId, parameters)] : []),
    ...(typeof textContains === 'string' ? [someMessageContains('data', textContains, parameters)] : []),
  ]
}

/** Items are only read from a list: anything else would be an error. */
function someMessageContains(member: string, part: string, parameters: Parameters): string {
  if (!isStorable(part)) return 'false'
  const place = parameters.add(part, 'text')
  const items = `jsonb_array_elements(case jsonb_typeof(data->'messages') when 'array' then data->'messages' else '[]' end)`
  return `(jsonb_typeof(data->'messages') is distinct from 'array'
    or exists (select 1 from ${items} as message where strpos(message->>'${member}', ${place}) > 0))`
}

/** Expressed by the unwanted values, so that an unknown one passes. */
function isAmong<V extends string>(
  value: string,
  wanted: readonly V[],
  known: readonly V[],
  parameters: Parameters,
): string {
  const others = known.filter((one) => !wanted.includes(one))
  return `((${value}) = any(${parameters.add(others, 'text[]')})) is not true`
}

/** Stored texts are well-formed and free of U+0000, and the database accepts no others. */
const isStorable = (text: string) => text.isWellFormed() && !text.includes('\0')

function equals(member: string, value: string | number, parameters: Parameters): string {
  if (typeof value === 'string' && !isStorable(value)) return 'false'
  const type = typeof value === 'string' ? 'text' : 'bigint'
  return `(data->'${member}' = to_jsonb(${parameters.add(value, type)})) is not false`
}

function contains(member: string, part: string | null | undefined, parameters: Parameters): string[] {
  if (typeof part !== 'string') return []
  return [isStorable(part) ? `(strpos(data->>'${member}', ${parameters.add(part, 'text')}) > 0) is not false` : 'false']
}

/** In the collation "C", upper() changes ASCII letters only. */
function methodIsAmong(methods: readonly string[], parameters: Parameters): string {
  const place = parameters.add(methods.filter(isStorable), 'text[]')
  return `(upper(data->>'method' collate "C") in (select upper(method collate "C") from unnest(${place}) as method)) is not false`
}
