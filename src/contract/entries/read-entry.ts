import type { SessionEventKind } from './kinds.ts'
import { isObject, isTime } from './members.ts'
import { ENTRY_SCHEMAS, type EntryData } from './schemas.ts'
import { ENTRY_VERSION, upgraded } from './upgrades.ts'

type StoredData<K extends SessionEventKind> = { data: EntryData[K]; problem: null } | { data: null; problem: string }

/** A stored entry without its position. */
interface StoredEntry<K extends SessionEventKind> {
  kind: K
  version: number
  at: number
  data: unknown
}

/** Context for reporting a problem. */
const PROBLEM_LENGTH = 200

/** The data of a stored entry, upgraded and checked; or why it cannot be read. */
export function readEntryData<K extends SessionEventKind>(entry: StoredEntry<K>): StoredData<K> {
  const { kind, version, at, data: stored } = entry
  if (!Number.isInteger(version) || version < 1 || version > ENTRY_VERSION) {
    return unreadable(`version: ${version} is not among 1 to ${ENTRY_VERSION}; written by a newer server?`)
  }
  if (!isTime(at)) return unreadable('at: out of range')
  if (!isObject(stored)) return unreadable('data: not an object')
  const { data, error } = ENTRY_SCHEMAS[kind].safeParse(upgraded(kind, version, stored))
  if (!error) return { data: data as EntryData[K], problem: null }
  return unreadable(error.issues.map(({ path, code }) => ['data', ...path].join('.') + `: ${code}`).join(', '))
}

const unreadable = (problem: string) => ({ data: null, problem: problem.slice(0, PROBLEM_LENGTH).toWellFormed() })

/** Replaces an entry that cannot be read; kind null: unknown. */
export function unreadableEntry(kind: SessionEventKind | null, storedAt: number) {
  const at = isTime(storedAt) ? storedAt : 0
  // The number of entries that it represented is unknown.
  const count = kind === 'ENTRIES_DROPPED' ? null : 1
  const countsByKind = kind === null || count === null ? {} : { [kind]: count }
  const data: EntryData['ENTRIES_DROPPED'] = { reason: 'UNREADABLE', count, countsByKind, from: at, to: at }
  return { at, data }
}
