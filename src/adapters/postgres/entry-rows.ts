import { isFailedRequest } from '../../contract/entries/network-request.ts'
import { readEntryData, unreadableEntry } from '../../contract/entries/read-entry.ts'
import type { LogEntry, SessionEventKind } from '../../ports/log-entry.ts'
import { KIND_CODES } from './tables.ts'
import type { UnreadableEntries } from './unreadable-entries.ts'

const KINDS_BY_CODE = new Map(Object.entries(KIND_CODES).map(([kind, code]) => [code, kind as SessionEventKind]))

/** Columns of an entry as every reading statement selects them, in this order; `at` in milliseconds. */
export const ENTRY_COLUMNS = `sequence, kind, round(date_part('epoch', at) * 1000) as at, version, data`

export type EntryRow = [sequence: number, kind: number, at: number, version: number, data: unknown]

/** The entry in the newest version; one that cannot be read is replaced by an ENTRIES_DROPPED (guarantee 7). */
export function entryOfRow(sessionId: string, row: EntryRow, unreadable: UnreadableEntries): LogEntry {
  const [sequence, code, at, version, stored] = row
  const kind = KINDS_BY_CODE.get(code) ?? null
  const { data, problem } =
    kind === null
      ? { data: null, problem: `kind: ${code} is unknown; written by a newer server?` }
      : readEntryData({ kind, version, at, data: stored })
  if (problem === null) return { kind, sequence, at, data } as LogEntry
  unreadable.report({ sessionId, sequence, kind, problem })
  return { kind: 'ENTRIES_DROPPED', sequence, ...unreadableEntry(kind, at) }
}

/** The entries as parallel arrays for `unnest($at::float8[], $kind::smallint[], $request::int[], $data::text[])`. */
export function arraysOfEntries(
  entries: readonly LogEntry[],
): [at: string, kind: string, request: string, data: Buffer] {
  const requestIds = entries.map((entry) => (entry.kind === 'NETWORK_REQUEST' ? entry.data.requestId : 'NULL'))
  return [
    `{${entries.map((entry) => entry.at).join()}}`,
    `{${entries.map((entry) => KIND_CODES[entry.kind]).join()}}`,
    `{${requestIds.join()}}`,
    encodeTextArray(entries.map((entry) => JSON.stringify(entry.data))),
  ]
}

const TEXT_OID = 25

/**
 * A text[] in PostgreSQL's binary format, which pg sends unchanged. JSON is full of quotes, each of which the text
 * format escapes here and unescapes there; measured on the embedded database: 46k instead of 29k rows/s.
 */
function encodeTextArray(texts: readonly string[]): Buffer {
  const header = 20
  const size = texts.reduce((sum, text) => sum + 4 + Buffer.byteLength(text), header)
  const buffer = Buffer.allocUnsafe(size)
  buffer.writeInt32BE(texts.length === 0 ? 0 : 1, 0) // dimensions
  buffer.writeInt32BE(0, 4) // no nulls
  buffer.writeInt32BE(TEXT_OID, 8)
  if (texts.length === 0) return buffer.subarray(0, 12)
  buffer.writeInt32BE(texts.length, 12)
  buffer.writeInt32BE(1, 16) // lower bound
  let offset = header
  for (const text of texts) {
    const length = buffer.write(text, offset + 4)
    buffer.writeInt32BE(length, offset)
    offset += 4 + length
  }
  return buffer
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
