/**
 * The entries of a session's event log, as every module knows them: the recorder makes drafts of them,
 * the event log numbers them, the store keeps them, the schema shows them.
 *
 * They live among the ports because both sides of a port speak of them (imports go domain → ports ← adapters).
 */

import type { ActionError, ActionOrigin, ActionType } from './action.ts'
import type { ArtifactKind } from './artifact.ts'
import type { Json } from './json.ts'
import type { Cost, TaskStatus } from './task.ts'

export type SessionStatus = 'CREATING' | 'RUNNING' | 'CLOSED' | 'TIMED_OUT' | 'FAILED'

export const SESSION_END_REASONS = [
  'TERMINATED',
  'SERVER_SHUTDOWN',
  'IDLE_TIMEOUT',
  'MAX_DURATION',
  'LAUNCH_FAILED',
  'BROWSER_CRASHED',
  'BROWSER_MISBEHAVED',
  'INTERNAL_ERROR',
  'MACHINE_LOST',
  'TASK_COMPLETED',
  'TASK_FAILED',
] as const
export type SessionEndReason = (typeof SESSION_END_REASONS)[number]

export const SESSION_EVENT_KINDS = [
  'STATUS_CHANGE',
  'NAVIGATION',
  'PAGE_OPENED',
  'PAGE_CLOSED',
  'PAGE_CRASHED',
  'CONSOLE_MESSAGE',
  'NETWORK_REQUEST',
  'WEB_SOCKET_OPENED',
  'WEB_SOCKET_CLOSED',
  'DOWNLOAD',
  'DIALOG',
  'ENTRIES_DROPPED',
  'ACTION',
  'ARTIFACT_CREATED',
  'ARTIFACT_FAILED',
  'TASK_STEP',
  'TASK_ENDED',
  'CLIENT_ATTACHED',
  'CLIENT_DETACHED',
] as const
export type SessionEventKind = (typeof SESSION_EVENT_KINDS)[number]

export const CONSOLE_LEVELS = ['DEBUG', 'LOG', 'INFO', 'WARNING', 'ERROR'] as const
export type ConsoleLevel = (typeof CONSOLE_LEVELS)[number]

export type ConsoleSource = 'CONSOLE' | 'EXCEPTION' | 'BROWSER' | 'WORKER'

/** Playwright's resource types in capitals (class Request, resourceType), with what it may add later under OTHER. */
export const RESOURCE_TYPES = [
  'DOCUMENT',
  'STYLESHEET',
  'IMAGE',
  'MEDIA',
  'FONT',
  'SCRIPT',
  'TEXTTRACK',
  'XHR',
  'FETCH',
  'EVENTSOURCE',
  'WEBSOCKET',
  'MANIFEST',
  'PING',
  'OTHER',
] as const
export type ResourceType = (typeof RESOURCE_TYPES)[number]

export type DropReason = 'FLOOD' | 'LOG_LIMIT' | 'STORE_UNAVAILABLE' | 'UNSTORABLE' | 'MESSAGE_TOO_LARGE' | 'TERMINATED'

export type ClientDetachReason =
  | 'CLIENT_LEFT'
  | 'CONNECTION_LOST'
  | 'CUT_OFF'
  | 'LINK_EXPIRED'
  | 'LINK_REVOKED'
  | 'SESSION_ENDED'

export const ARTIFACT_FAILURE_CODES = [
  'QUOTA_EXCEEDED',
  'TEMPORARY_FOLDER_FULL',
  'STORAGE_FULL',
  'STORAGE_UNAVAILABLE',
  'INTERNAL',
] as const
export type ArtifactFailureCode = (typeof ARTIFACT_FAILURE_CODES)[number]

export type DialogType = 'ALERT' | 'CONFIRM' | 'PROMPT' | 'BEFORE_UNLOAD'

/**
 * Sizes at which page-made texts are cut, in UTF-16 code units, before they become entries. A page may log a megabyte
 * a line; a log that people read and a database row want less. Documented in the README.
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
  /** What a model says beside its calls. */
  taskText: 8_192,
} as const

export interface NetworkTiming {
  /** Milliseconds of each phase; null when the phase did not happen (a reused connection has no DNS look-up). */
  /** From when it was asked for until the browser did the first of the others. Entries of old do not have it. */
  queuedMs?: number | null
  dnsMs: number | null
  connectMs: number | null
  tlsMs: number | null
  /** From sending the request to the first byte of the answer. */
  waitingMs: number | null
  downloadMs: number | null
}

/** What each kind of entry says. `pageId` is null for what belongs to no page (a service worker, a shared worker). */
export interface EntryData {
  STATUS_CHANGE: {
    from: SessionStatus | null
    to: SessionStatus
    endReason: SessionEndReason | null
    /** What went wrong, for people. */
    error: string | null
  }
  NAVIGATION: {
    pageId: string
    url: string
    /** True for history.pushState, fragments and the like, where no new document was loaded. */
    sameDocument: boolean
  }
  PAGE_OPENED: { pageId: string; url: string; openerPageId: string | null }
  PAGE_CLOSED: { pageId: string; url: string }
  PAGE_CRASHED: { pageId: string; url: string }
  CONSOLE_MESSAGE: {
    level: ConsoleLevel
    source: ConsoleSource
    text: string
    url: string | null
    /** 1-based, as editors and browsers show them. */
    line: number | null
    column: number | null
    stack: string | null
    pageId: string | null
    /** UTF-16 code units cut from text. */
    truncated: number
  }
  NETWORK_REQUEST: {
    /** Number of the request within its session, given when it starts: a PendingRequest and its entry share it. */
    requestId: number
    /** Milliseconds since the epoch. */
    startedAt: number
    url: string
    method: string
    resourceType: ResourceType
    status: number | null
    failure: string | null
    durationMs: number
    requestBytes: number | null
    responseBytes: number | null
    fromCache: boolean
    /** URL of the request that was redirected here; each hop is a request of its own. */
    redirectedFrom: string | null
    requestHeaders: Record<string, string>
    responseHeaders: Record<string, string> | null
    timing: NetworkTiming | null
    /** Address and port of who answered: 192.0.2.1:443, [2001:db8::1]:443. Entries of old do not have it. */
    remoteAddress?: string | null
    pageId: string | null
  }
  WEB_SOCKET_OPENED: { webSocketId: number; url: string; pageId: string | null }
  WEB_SOCKET_CLOSED: {
    webSocketId: number
    url: string
    pageId: string | null
    framesSent: number
    framesReceived: number
    /** The browser's words when the socket failed; null after an ordinary close. */
    error: string | null
  }
  DOWNLOAD: {
    url: string
    suggestedFilename: string
    pageId: string | null
    sizeBytes: number | null
    /** Why it failed ("canceled", …); null when it completed. */
    failure: string | null
    /** The artifact that keeps the file; null when it failed, or could not be kept: then keepFailure says why. */
    artifactId: string | null
    keepFailure: string | null
  }
  DIALOG: {
    type: DialogType
    message: string
    defaultValue: string | null
    pageId: string | null
    url: string | null
    /** What was answered: by a dialog action, else it is dismissed, and beforeunload accepted. */
    accepted: boolean
  }
  ENTRIES_DROPPED: {
    reason: DropReason
    /** Null: unknown, for the browser had not handed them over (TERMINATED). */
    count: number | null
    countsByKind: Partial<Record<SessionEventKind, number>>
    /** Milliseconds since the epoch of the first and the last entry that was dropped. */
    from: number
    to: number
  }
  ACTION: {
    type: ActionType
    origin: ActionOrigin
    pageId: string | null
    /** Milliseconds since the epoch; `at` of the entry is when it was done. */
    startedAt: number
    success: boolean
    error: ActionError | null
    durationMs: number
    details: { [key: string]: Json }
    result: Json
    artifactId: string | null
    /** Of origin TASK: which task. */
    taskId: string | null
    /** Of origin TASK: what the model took to ask for it; null for further actions of the same step, and for others. */
    cost: Cost | null
  }
  ARTIFACT_CREATED: {
    artifactId: string
    kind: ArtifactKind
    name: string
    contentType: string
    sizeBytes: number
    pageId: string | null
  }
  /** A recording was stopped early, or a file that the browser made could not be kept. Downloads have their own entry. */
  ARTIFACT_FAILED: {
    kind: ArtifactKind
    name: string
    pageId: string | null
    code: ArtifactFailureCode
    message: string
    /** Stopped early: what there is by then is kept at the end, if it can be. False: nothing is. */
    partial: boolean
  }
  /** A client of the browser's protocol. `clientId` counts those of the session, from 1. */
  CLIENT_ATTACHED: { clientId: number; name: string }
  CLIENT_DETACHED: { clientId: number; name: string; reason: ClientDetachReason; commandCount: number }
  /** What the model answered; the actions that it asked for follow. */
  TASK_STEP: { taskId: string; step: number; text: string; calls: string[]; durationMs: number; cost: Cost }
  TASK_ENDED: { taskId: string; status: TaskStatus; result: Json; error: string | null; steps: number; cost: Cost }
}

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
