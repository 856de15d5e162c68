/**
 * The entries of a session's event log, as every module knows them: the recorder makes drafts of them,
 * the event log numbers them, the store keeps them, the schema shows them.
 *
 * They live among the ports because both sides of a port speak of them (imports go domain → ports ← adapters). What each
 * kind says is defined in contract/entries/.
 */

import type { DropReason } from '../contract/entries/entries-dropped.ts'
import type { EntryData } from '../contract/entries/schemas.ts'
import type { ConsoleLevel } from '../contract/entries/console-message.ts'
import type { SessionEventKind } from '../contract/entries/kinds.ts'
import type { RequestOutcome, ResourceType } from '../contract/entries/network-request.ts'

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
export {
  REQUEST_OUTCOMES,
  RESOURCE_TYPES,
  SAME_SITE_MODES,
  type CutFailure,
  type InitiatorType,
  type NetworkTiming,
  type RequestCookie,
  type RequestInitiator,
  type RequestOutcome,
  type RequestPriority,
  type ResourceType,
  type ResponseSource,
  type SameSiteMode,
} from '../contract/entries/network-request.ts'
export type { EntryData } from '../contract/entries/schemas.ts'
export type { EventSourceMessage } from '../contract/entries/event-source-messages.ts'
export { SESSION_END_REASONS, type SessionEndReason, type SessionStatus } from '../contract/entries/status-change.ts'

export type {
  WebSocketCloser,
  WebSocketDirection,
  WebSocketMessage,
  WebSocketOpcode,
} from '../contract/entries/web-socket-events.ts'

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
  /** Of a request: its status text, MIME type and protocol, which servers choose. */
  requestFact: 256,
  /** Enough for the calls that lead to a request; each request has one. */
  initiatorStack: 4_096,
  cookieName: 256,
  /** Browsers keep no cookie whose name and value are longer. */
  cookieValue: 4_096,
  /** Domain, path and reasons. */
  cookieAttribute: 256,
  /** Cookies kept of one request that were sent, and as many that were set; further ones are counted. */
  cookieCount: 100,
  /** Texts of all cookies that were sent with one request together, and of those that were set. */
  cookies: 32_768,
  dialogMessage: 8_192,
  /** Of a WebSocket or an EventSource; base64 of what is no text. */
  message: 4_096,
  /** Name or id of a server-sent event. */
  eventName: 256,
  /** Why a WebSocket was closed: the protocol allows 123 bytes. */
  closeReason: 123,
  fileName: 1_024,
  /** As a client calls itself. */
  clientName: 200,
  /** Of an issue, and each text in its details. */
  issue: 1_024,
  /** What a model says beside its calls. */
  taskText: 8_192,
} as const

/** Why an entry is missing of which the browser told: its message was too large to be read, or came too late. */
export type MissReason = Extract<DropReason, 'MESSAGE_TOO_LARGE' | 'FLOOD'>

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
  /** Null: no response yet. */
  status: number | null
  responseHeaders: Record<string, string> | null
  /** Bytes of the body that have come so far, as the page gets them. */
  responseBytes: number
}

/** What is new of a request in flight. */
export type RequestProgress = Pick<PendingRequest, 'requestId' | 'status' | 'responseHeaders' | 'responseBytes'>

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
  outcomes?: readonly RequestOutcome[] | null
  /**
   * Only requests that failed (failure is set, but not because the session ended) or were answered with a status of 400 or
   * above.
   */
  failedOnly?: boolean | null
}

/** Of entries with messages of WebSockets. */
export interface WebSocketFilter {
  webSocketId?: number | null
  pageId?: string | null
  /** Case-sensitive substring of one of the texts. */
  textContains?: string | null
}

/** What a reader of the log wants to see. `kinds` null means every kind; the other filters narrow their own kind only. */
export interface EntryFilter {
  kinds: readonly SessionEventKind[] | null
  console?: ConsoleFilter | null
  network?: NetworkFilter | null
  webSocket?: WebSocketFilter | null
}
