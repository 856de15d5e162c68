/**
 * The entries of a session's event log, shared by all modules: the recorder creates drafts, the event log numbers them,
 * the store stores them, the schema exposes them.
 *
 * They are part of the ports because both sides of a port use them (imports go domain → ports ← adapters). The data of
 * each kind is defined in contract/entries/.
 */

import type { DropReason } from '../../contract/entries/entries-dropped.ts'
import type { EntryData } from '../../contract/entries/schemas.ts'
import type { ConsoleLevel } from '../../contract/entries/console-message.ts'
import type { SessionEventKind } from '../../contract/entries/kinds.ts'
import type { RequestOutcome, ResourceType } from '../../contract/entries/network-request.ts'

export { ARTIFACT_FAILURE_CODES, type ArtifactFailureCode } from '../../contract/entries/artifact-events.ts'
export type { ClientDetachReason } from '../../contract/entries/client-events.ts'
export {
  CONSOLE_LEVELS,
  type ConsoleLevel,
  type ConsoleMethod,
  type ConsoleSource,
  type ConsoleValue,
} from '../../contract/entries/console-message.ts'
export type { IssueCategory } from '../../contract/entries/issue.ts'
export type { DialogType } from '../../contract/entries/dialog.ts'
export type { DropReason } from '../../contract/entries/entries-dropped.ts'
export { SESSION_EVENT_KINDS, type SessionEventKind } from '../../contract/entries/kinds.ts'
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
} from '../../contract/entries/network-request.ts'
export type { EntryData } from '../../contract/entries/schemas.ts'
export type { EventSourceMessage } from '../../contract/entries/event-source-messages.ts'
export { SESSION_END_REASONS, type SessionEndReason, type SessionStatus } from '../../contract/entries/status-change.ts'

export type {
  WebSocketCloser,
  WebSocketDirection,
  WebSocketMessage,
  WebSocketOpcode,
} from '../../contract/entries/web-socket-events.ts'

/**
 * Limits at which texts from pages are cut, in UTF-16 code units, before they become entries. A page may log a megabyte
 * per line; that is too much for a readable log and a database row. Documented in docs/log.md.
 */
export const TEXT_LIMITS = {
  consoleText: 32_768,
  stack: 16_384,
  url: 8_192,
  /** Pages may use methods of any length. */
  method: 64,
  title: 1_024,
  headerName: 256,
  headerValue: 8_192,
  /** Header pairs recorded per request or response; further ones are omitted. */
  headerCount: 200,
  failure: 1_024,
  /** Of a request: its status text, MIME type and protocol, which servers choose. */
  requestFact: 256,
  /** Enough for the calls that lead to a request; each request has one. */
  initiatorStack: 4_096,
  cookieName: 256,
  /** Browsers reject cookies whose name and value are longer. */
  cookieValue: 4_096,
  /** Domain, path and reasons. */
  cookieAttribute: 256,
  /** Cookies recorded as sent per request, and as many as set; further ones are counted. */
  cookieCount: 100,
  /** Total text of all cookies sent with one request, and of those set. */
  cookies: 32_768,
  dialogMessage: 8_192,
  /** Of a WebSocket or an EventSource; base64 for binary messages. */
  message: 4_096,
  /** Name or id of a server-sent event. */
  eventName: 256,
  /** Reason of a WebSocket close: the protocol allows 123 bytes. */
  closeReason: 123,
  fileName: 1_024,
  /** Self-reported name of a client. */
  clientName: 200,
  /** Of an issue, and each text in its details. */
  issue: 1_024,
  /** A model's text beside its calls. */
  taskText: 8_192,
} as const

/**
 * Why an entry is missing although the browser reported the event: its message was too large to be read, or arrived too
 * late.
 */
export type MissReason = Extract<DropReason, 'MESSAGE_TOO_LARGE' | 'FLOOD'>

/** Limits of the arguments of a console message. Documented in docs/log.md. */
export const ARGUMENT_LIMITS = {
  /** JSON of all arguments of a message: limits the cost of ten thousand messages per second. */
  bytes: 32_768,
  /** UTF-16 code units per text in them. */
  text: 8_192,
  /** Levels of members below an argument. */
  depth: 5,
  /** Members, elements or entries per object. */
  members: 100,
} as const

/**
 * An entry before the log has assigned its sequence. `at` is the time of the event, in milliseconds since the epoch.
 */
export type EntryDraft<K extends SessionEventKind = SessionEventKind> = {
  [Kind in K]: { kind: Kind; at: number; data: EntryData[Kind] }
}[K]

/** An entry of the log: immutable, numbered 1, 2, 3 … within its session. */
export type LogEntry<K extends SessionEventKind = SessionEventKind> = {
  [Kind in K]: { kind: Kind; sequence: number; at: number; data: EntryData[Kind] }
}[K]

/** A pending request: state of the session, not yet an entry (guarantee 8). */
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
  /** Bytes of the body received so far, as the page gets them. */
  responseBytes: number
}

/** Changes to a pending request. */
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
  /** Case-insensitive. */
  methods?: readonly string[] | null
  resourceTypes?: readonly ResourceType[] | null
  minStatus?: number | null
  maxStatus?: number | null
  outcomes?: readonly RequestOutcome[] | null
  /**
   * Only requests that failed (failure is set, but not because the session ended) or have a response status of 400 or
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

/** Of entries with server-sent events. */
export interface EventSourceFilter {
  /** Number of the request that received them. */
  networkRequestId?: number | null
  pageId?: string | null
  /** Case-sensitive substring of the data of one of the events. */
  textContains?: string | null
}

/** A reader's filter for the log. `kinds` null means every kind; the other filters apply to their own kind only. */
export interface EntryFilter {
  kinds: readonly SessionEventKind[] | null
  console?: ConsoleFilter | null
  network?: NetworkFilter | null
  webSocket?: WebSocketFilter | null
  eventSource?: EventSourceFilter | null
}
