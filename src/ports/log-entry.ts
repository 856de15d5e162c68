/**
 * The entries of a session's event log, as every module knows them: the recorder makes drafts of them,
 * the event log numbers them, the store keeps them, the schema shows them.
 *
 * They live among the ports because both sides of a port speak of them (imports go domain → ports ← adapters). What each
 * kind says is defined in contract/entries/.
 */

import type { EntryData } from '../contract/entries/schemas.ts'
import type { ConsoleLevel } from '../contract/entries/console-message.ts'
import type { SessionEventKind } from '../contract/entries/kinds.ts'
import type { ResourceType } from '../contract/entries/network-request.ts'

export { ARTIFACT_FAILURE_CODES, type ArtifactFailureCode } from '../contract/entries/artifact-events.ts'
export type { ClientDetachReason } from '../contract/entries/client-events.ts'
export {
  CONSOLE_LEVELS,
  type ConsoleLevel,
  type ConsoleMethod,
  type ConsoleSource,
  type ConsoleValue,
} from '../contract/entries/console-message.ts'
export type { IssueCategory } from '../contract/entries/issue.ts'
export type { DialogType } from '../contract/entries/dialog.ts'
export type { DropReason } from '../contract/entries/entries-dropped.ts'
export { SESSION_EVENT_KINDS, type SessionEventKind } from '../contract/entries/kinds.ts'
export { RESOURCE_TYPES, type NetworkTiming, type ResourceType } from '../contract/entries/network-request.ts'
export type { EntryData } from '../contract/entries/schemas.ts'
export { SESSION_END_REASONS, type SessionEndReason, type SessionStatus } from '../contract/entries/status-change.ts'

/**
 * Sizes at which page-made texts are cut, in UTF-16 code units, before they become entries. A page may log a megabyte
 * a line; a log that people read and a database row want less. Documented in docs/log.md.
 */
export const TEXT_LIMITS = {
  consoleText: 32_768,
  stack: 16_384,
  url: 8_192,
  /** A page may invent methods of any length. */
  method: 64,
  title: 1_024,
  headerName: 256,
  headerValue: 8_192,
  /** Header pairs kept of one request or response; further ones are left out. */
  headerCount: 200,
  failure: 1_024,
  dialogMessage: 8_192,
  fileName: 1_024,
  /** As a client calls itself. */
  clientName: 200,
  /** Of an issue, and each text in its details. */
  issue: 1_024,
  /** What a model says beside its calls. */
  taskText: 8_192,
} as const

/** Bounds of the arguments of a console message. Documented in docs/log.md. */
export const ARGUMENT_LIMITS = {
  /** Of JSON, of all arguments of a line: what ten thousand lines a second may cost at most. */
  bytes: 32_768,
  /** UTF-16 code units of a text in them. */
  text: 8_192,
  /** Levels of members below an argument. */
  depth: 5,
  /** Members, elements or entries of an object. */
  members: 100,
} as const

/** An entry before the log has given it its sequence. `at` is when it happened, in milliseconds since the epoch. */
export type EntryDraft<K extends SessionEventKind = SessionEventKind> = {
  [Kind in K]: { kind: Kind; at: number; data: EntryData[Kind] }
}[K]

/** An entry of the log: immutable, numbered 1, 2, 3 … within its session. */
export type LogEntry<K extends SessionEventKind = SessionEventKind> = {
  [Kind in K]: { kind: Kind; sequence: number; at: number; data: EntryData[Kind] }
}[K]

/** A request in flight: state of the session, not yet an entry (guarantee 8). */
export interface PendingRequest {
  requestId: number
  startedAt: number
  url: string
  method: string
  resourceType: ResourceType
  pageId: string | null
}

export interface ConsoleFilter {
  levels?: readonly ConsoleLevel[] | null
  /** Case-sensitive substring. */
  textContains?: string | null
  pageId?: string | null
}

export interface NetworkFilter {
  /** Case-sensitive substring. */
  urlContains?: string | null
  /** Compared without regard to case. */
  methods?: readonly string[] | null
  resourceTypes?: readonly ResourceType[] | null
  minStatus?: number | null
  maxStatus?: number | null
  /** Only requests that failed (failure is set) or were answered with a status of 400 or above. */
  failedOnly?: boolean | null
}

/** What a reader of the log wants to see. `kinds` null means every kind; the two filters narrow their own kind only. */
export interface EntryFilter {
  kinds: readonly SessionEventKind[] | null
  console?: ConsoleFilter | null
  network?: NetworkFilter | null
}
