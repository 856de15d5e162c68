import { isFailedRequest } from '../../../contract/entries/network-request.ts'
import { readEntryData, unreadableEntry } from '../../../contract/entries/read-entry.ts'
import type { LogEntry, SessionEventKind } from '../../../ports/log-entry.ts'
import { KIND_CODES } from '../base/tables.ts'
import type { UnreadableEntries } from './unreadable-entries.ts'

const KINDS_BY_CODE = new Map(Object.entries(KIND_CODES).map(([kind, code]) => [code, kind as SessionEventKind]))

/** Columns of an entry as every reading statement selects them, in this order; `at` in milliseconds. */
export const ENTRY_COLUMNS = `sequence, kind, round(date_part('epoch', at) * 1000) as at, version,
  case when content is null then data end as data, content`

export type EntryRow = [sequence: number, kind: number, at: number, version: number, data: unknown, content: unknown]

/** The entry in the newest version; one that cannot be read is replaced by an ENTRIES_DROPPED (guarantee 7). */
export function entryOfRow(sessionId: string, row: EntryRow, unreadable: UnreadableEntries): LogEntry {
  const [sequence, code, at, version, stored, content] = row
  const kind = KINDS_BY_CODE.get(code) ?? null
  const { data, problem } =
    kind === null
      ? { data: null, problem: `kind: ${code} is unknown; written by a newer server?` }
      : readEntryData({ kind, version, at, data: content ?? stored })
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
