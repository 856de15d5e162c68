import pg from 'pg'
import { isFailedRequest } from '../../../contract/entries/network-request.ts'
import { isTime } from '../../../contract/entries/members.ts'
import { readEntryData, unreadableEntry } from '../../../contract/entries/read-entry.ts'
import type { RequestTextsReader } from '../../../contract/entries/request-texts-reader.ts'
import { ENTRY_VERSION } from '../../../contract/entries/upgrades.ts'
import type { LogEntry, SessionEventKind } from '../../../ports/log/log-entry.ts'
import { StoredRequestEntry } from './stored-request-entry.ts'
import { KIND_CODES } from '../base/tables.ts'
import type { UnreadableEntries } from './unreadable-entries.ts'

const KINDS_BY_CODE = new Map(Object.entries(KIND_CODES).map(([kind, code]) => [code, kind as SessionEventKind]))

/** Columns of an entry as every reading statement selects them, in this order; `at` in milliseconds. */
export const ENTRY_COLUMNS = `sequence, kind, round(date_part('epoch', at) * 1000) as at, version,
  case when content is null then data end as data, content`

export type EntryRow = [
  sequence: number,
  kind: number,
  at: number,
  version: number,
  data: unknown,
  content: string | null,
]

const JSON_OID = 114

/** How statements that select them read their values: contents as texts, all others as usual. */
export const ENTRY_TYPES = {
  getTypeParser: (oid: number, format?: 'text' | 'binary') =>
    oid === JSON_OID ? (text: string) => text : (pg.types.getTypeParser(oid, format) as (text: string) => unknown),
}

/**
 * The entry in the newest version; one that cannot be read is replaced by an ENTRIES_DROPPED (guarantee 7). With a
 * reader of texts, a request is a StoredRequest if it can be.
 */
export function entryOfRow(
  sessionId: string,
  row: EntryRow,
  unreadable: UnreadableEntries,
  texts: RequestTextsReader | null = null,
): LogEntry {
  const [sequence, code, at, version, stored, content] = row
  const kind = KINDS_BY_CODE.get(code) ?? null
  if (texts && content !== null && kind === 'NETWORK_REQUEST' && version === ENTRY_VERSION && isTime(at)) {
    const found = texts.read(content)
    if (found) return new StoredRequestEntry(sequence, at, content, found)
  }
  const { data, problem } =
    kind === null
      ? { data: null, problem: `kind: ${code} is unknown; written by a newer server?` }
      : readEntryData({ kind, version, at, data: content === null ? stored : (JSON.parse(content) as unknown) })
  if (problem === null) return { kind, sequence, at, data } as LogEntry
  unreadable.report({ sessionId, sequence, kind, problem })
  return { kind: 'ENTRIES_DROPPED', sequence, ...unreadableEntry(kind, at) }
}

export interface EntryCounts {
  navigation: number
  console: number
  network: number
  action: number
  screenshot: number
  consoleError: number
  failedRequest: number
}

/** The increments of a session's counters for these entries. */
export function countEntriesByCounter(entries: readonly LogEntry[]): EntryCounts {
  const counts = { navigation: 0, console: 0, network: 0, action: 0, screenshot: 0, consoleError: 0, failedRequest: 0 }
  for (const entry of entries) {
    const { kind } = entry
    if (kind === 'NAVIGATION') counts.navigation++
    else if (kind === 'CONSOLE_MESSAGE') {
      counts.console++
      if (entry.data.level === 'ERROR') counts.consoleError++
    } else if (kind === 'NETWORK_REQUEST') {
      counts.network++
      if (isFailedRequest(entry.data)) counts.failedRequest++
    } else if (kind === 'ACTION') counts.action++
    else if (kind === 'ARTIFACT_CREATED' && entry.data.kind === 'SCREENSHOT') counts.screenshot++
  }
  return counts
}
