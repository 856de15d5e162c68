import { sql } from 'drizzle-orm'
import {
  bigint,
  boolean,
  customType,
  doublePrecision,
  index,
  integer,
  json,
  jsonb,
  pgTable,
  primaryKey,
  smallint,
  text,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core'
import type { ArtifactKind } from '../../../ports/artifacts/artifact.ts'
import type { SessionEndReason, SessionEventKind, SessionStatus } from '../../../ports/log/log-entry.ts'
import type { NavigationError } from '../../../ports/sessions/session-record.ts'
import type { Emulation } from '../../../ports/browser/emulation.ts'
import type { CaptureOptions } from '../../../ports/browser/capture.ts'
import type { RedactionRules } from '../../../ports/sessions/redaction.ts'
import type { SessionEgress } from '../../../ports/egress/session-egress.ts'
import type { Json } from '../../../ports/base/json.ts'
import type { Scope } from '../../../ports/access/scope.ts'
import type { TaskStatus } from '../../../ports/tasks/task.ts'

/** A time: milliseconds since the epoch in code, timestamptz(3) in the database. */
const instant = customType<{ data: number; driverData: string }>({
  dataType: () => 'timestamp (3) with time zone',
  toDriver: (milliseconds) => new Date(milliseconds).toISOString(),
  fromDriver: (written) => new Date(written).getTime(),
})

/** Raw bytes; drizzle does not have this type. */
const bytes = customType<{ data: Uint8Array; driverData: Buffer }>({
  dataType: () => 'bytea',
  toDriver: (data) => Buffer.from(data.buffer, data.byteOffset, data.byteLength),
})

/**
 * Columns that change with every batch of the log (counters, last_sequence, last_activity_at, current_url, title) are
 * in no index, and pages reserve space (fillfactor, set in the migration, since drizzle does not support it): such
 * updates stay in their page (HOT) and touch no index. The embedded database has no autovacuum, so dead rows are pruned
 * on access.
 */
export const sessions = pgTable(
  'sessions',
  {
    id: uuid().primaryKey(),
    owner: text().notNull(),
    name: text(),
    metadata: jsonb().$type<{ [key: string]: Json }>().notNull(),
    status: text().$type<SessionStatus>().notNull(),
    endReason: text('end_reason').$type<SessionEndReason>(),
    error: text(),
    viewportWidth: integer('viewport_width').notNull(),
    viewportHeight: integer('viewport_height').notNull(),
    userAgent: text('user_agent'),
    locale: text(),
    timezone: text(),
    keepAlive: boolean('keep_alive').notNull(),
    idleTimeoutSeconds: integer('idle_timeout_seconds').notNull(),
    maxDurationSeconds: integer('max_duration_seconds').notNull(),
    machineId: text('machine_id').notNull(),
    /** Null: its machine has no lease. */
    machineEpoch: bigint('machine_epoch', { mode: 'number' }),
    idempotencyKey: text('idempotency_key'),
    inputHash: text('input_hash'),
    createdAt: instant('created_at').notNull(),
    startedAt: instant('started_at'),
    lastActivityAt: instant('last_activity_at').notNull(),
    endedAt: instant('ended_at'),
    currentUrl: text('current_url'),
    title: text(),
    lastNavigationError: jsonb('last_navigation_error').$type<NavigationError>(),
    navigationCount: integer('navigation_count').notNull().default(0),
    consoleMessageCount: integer('console_message_count').notNull().default(0),
    networkRequestCount: integer('network_request_count').notNull().default(0),
    actionCount: integer('action_count').notNull().default(0),
    screenshotCount: integer('screenshot_count').notNull().default(0),
    consoleErrorCount: integer('console_error_count').notNull().default(0),
    failedRequestCount: integer('failed_request_count').notNull().default(0),
    inputTokens: bigint('input_tokens', { mode: 'number' }).notNull().default(0),
    outputTokens: bigint('output_tokens', { mode: 'number' }).notNull().default(0),
    /** Null once a model with an unknown price was used. */
    usd: doublePrecision().default(0),
    profileId: uuid('profile_id'),
    egress: jsonb().$type<SessionEgress>(),
    emulation: jsonb().$type<Emulation>(),
    offline: boolean().notNull().default(false),
    capture: jsonb().$type<CaptureOptions>(),
    redact: jsonb().$type<RedactionRules>(),
    /** Its bodies are removed before its entries: see Store.forgetBodies. */
    bodiesForgotten: boolean('bodies_forgotten').notNull().default(false),
    lastSequence: integer('last_sequence').notNull().default(0),
  },
  (table) => [
    // Ascending, read backwards for "newest first": a descending index would put nulls where ORDER BY … DESC does not.
    index('sessions_by_owner').on(table.owner, table.createdAt, table.id),
    // A list by status is merged from one range of this index per status, so that three failed ones among a hundred
    // thousand are found as fast as the newest.
    index('sessions_by_status').on(table.owner, table.status, table.createdAt, table.id),
    index('sessions_by_name')
      .on(table.owner, table.name, table.createdAt, table.id)
      .where(sql`${table.name} is not null`),
    index('sessions_by_metadata').using('gin', table.metadata.op('jsonb_path_ops')),
    index('sessions_live_by_machine')
      .on(table.machineId)
      .where(sql`${table.status} in ('CREATING', 'RUNNING')`),
    index('sessions_by_end')
      .on(table.endedAt)
      .where(sql`${table.endedAt} is not null`),
    index('sessions_by_end_with_bodies')
      .on(table.endedAt)
      .where(sql`${table.endedAt} is not null and not ${table.bodiesForgotten}`),
    uniqueIndex('sessions_by_idempotency_key')
      .on(table.owner, table.idempotencyKey)
      .where(sql`${table.idempotencyKey} is not null`),
  ],
)

/**
 * Servers on this database. All times are its own. Renewed every few seconds, so no column that changes is in an index:
 * such updates stay in their page (HOT).
 */
export const machines = pgTable('machines', {
  id: text().primaryKey(),
  /** Increased whenever the machine begins or loses a lease: sessions with a lower one are lost. */
  epoch: bigint({ mode: 'number' }).notNull(),
  /** The process that began the lease. */
  instance: text().notNull(),
  address: text(),
  version: text().notNull(),
  slots: integer().notNull(),
  live: integer().notNull(),
  queued: integer().notNull(),
  warm: integer().notNull(),
  draining: boolean().notNull(),
  startedAt: instant('started_at').notNull(),
  heartbeatAt: instant('heartbeat_at').notNull(),
  leaseUntil: instant('lease_until').notNull(),
  /** Since when its lease has never lapsed. */
  steadySince: instant('steady_since').notNull(),
  /** When it shut down or was found to be lost; null: neither. */
  leftAt: instant('left_at'),
})

/**
 * Sessions of several machines that wait for one to start them. A row outlives its start until nobody waits with its turn
 * or a lower one: an owner's next turn follows from it.
 */
export const sessionStarts = pgTable(
  'session_starts',
  {
    sessionId: uuid('session_id').primaryKey(),
    owner: text().notNull(),
    turn: bigint({ mode: 'number' }).notNull(),
    queuedAt: instant('queued_at').notNull(),
    /** What it is started with, encrypted: it may contain credentials. Null once it was started. */
    sealed: bytes(),
    /** The machine that starts it, and the epoch of its lease; null: it waits. */
    machineId: text('machine_id'),
    machineEpoch: bigint('machine_epoch', { mode: 'number' }),
    /** How many machines were lost between their claim and the session's start. */
    lostMachines: integer('lost_machines').notNull().default(0),
    /** START_VERSION of the server that accepted it. */
    version: integer().notNull().default(1),
  },
  (table) => [
    index('session_starts_waiting')
      .on(table.turn, table.queuedAt, table.sessionId)
      .where(sql`${table.machineId} is null`),
    index('session_starts_by_owner').on(table.owner, table.turn),
  ],
)

/** Values of `log_entries.kind`. They are permanent: a kind may be added, none may change. */
export const KIND_CODES: Readonly<Record<SessionEventKind, number>> = {
  STATUS_CHANGE: 1,
  NAVIGATION: 2,
  PAGE_OPENED: 3,
  PAGE_CLOSED: 4,
  PAGE_CRASHED: 5,
  CONSOLE_MESSAGE: 6,
  NETWORK_REQUEST: 7,
  WEB_SOCKET_OPENED: 8,
  WEB_SOCKET_CLOSED: 9,
  DOWNLOAD: 10,
  DIALOG: 11,
  ENTRIES_DROPPED: 12,
  ACTION: 13,
  ARTIFACT_CREATED: 14,
  TASK_STEP: 15,
  TASK_ENDED: 16,
  CLIENT_ATTACHED: 17,
  CLIENT_DETACHED: 18,
  ARTIFACT_FAILED: 19,
  WEB_SOCKET_MESSAGES: 20,
  EVENT_SOURCE_MESSAGES: 21,
  ISSUE: 22,
  EXCEPTION_HANDLED: 23,
}

/**
 * No foreign key to sessions: it would be checked once per row, and `append` writes entries only in the statement that
 * advances the session's own row.
 */
export const logEntries = pgTable(
  'log_entries',
  {
    sessionId: uuid('session_id').notNull(),
    at: instant().notNull(),
    sequence: integer().notNull(),
    requestId: integer('request_id'),
    kind: smallint().notNull(),
    /** The whole entry, or, where `content` has it, the members that conditions read (entry-arrays.ts). */
    data: jsonb().notNull(),
    /**
     * The whole entry as it was written. Requests are large and read whole: measured, writing one costs the database
     * half as much as jsonb, and reading one a quarter. Null: `data` has it.
     */
    content: json(),
    /** Size of the JSON text of the entry, so that reads are limited without reading it. Null: written by 0.1. */
    bytes: integer(),
    /**
     * Version of the schema of `data`, see contract/entries/upgrades.ts. Entries from before versions existed have the
     * first.
     */
    version: smallint().notNull().default(1),
  },
  (table) => [
    primaryKey({ name: 'log_entries_pkey', columns: [table.sessionId, table.sequence] }),
    index('log_entries_by_kind').on(table.sessionId, table.kind, table.sequence),
    uniqueIndex('log_entries_by_request')
      .on(table.sessionId, table.requestId)
      .where(sql`${table.requestId} is not null`),
  ],
)

export const apiKeys = pgTable(
  'api_keys',
  {
    id: uuid().primaryKey(),
    owner: text().notNull(),
    name: text().notNull(),
    secretHash: text('secret_hash').notNull(),
    scopes: text().array().$type<Scope[]>().notNull(),
    createdAt: instant('created_at').notNull(),
    lastUsedAt: instant('last_used_at'),
    expiresAt: instant('expires_at'),
    revokedAt: instant('revoked_at'),
  },
  (table) => [
    uniqueIndex('api_keys_by_secret').on(table.secretHash),
    index('api_keys_by_owner').on(table.owner, table.createdAt, table.id),
    index('api_keys_by_expiry')
      .on(table.expiresAt)
      .where(sql`${table.expiresAt} is not null`),
  ],
)

/** No foreign key to sessions, which an artifact may outlive briefly between two steps of the retention. */
export const artifacts = pgTable(
  'artifacts',
  {
    id: uuid().primaryKey(),
    sessionId: uuid('session_id').notNull(),
    owner: text().notNull(),
    kind: text().$type<ArtifactKind>().notNull(),
    name: text().notNull(),
    contentType: text('content_type').notNull(),
    sizeBytes: bigint('size_bytes', { mode: 'number' }).notNull(),
    sha256: text().notNull(),
    pageId: text('page_id'),
    createdAt: instant('created_at').notNull(),
  },
  (table) => [index('artifacts_by_session').on(table.sessionId, table.createdAt, table.id)],
)

/** Total bytes of each owner's artifacts and bodies. Maintained by triggers of their tables. */
export const artifactUsage = pgTable('artifact_usage', {
  owner: text().primaryKey(),
  bytes: bigint({ mode: 'number' }).notNull(),
  bodyBytes: bigint('body_bytes', { mode: 'number' }).notNull().default(0),
})

/** Bodies of requests that are stored separately, once per owner, by their hash. */
export const bodies = pgTable(
  'bodies',
  {
    owner: text().notNull(),
    sha256: text().notNull(),
    /** In the ArtifactStore; never reused, so that removing the bytes of a deleted row cannot remove others. */
    key: text().notNull(),
    /** Id of the key that they are encrypted with; null: they are not. */
    seal: text(),
    sizeBytes: bigint('size_bytes', { mode: 'number' }).notNull(),
    createdAt: instant('created_at').notNull(),
    lastUsedAt: instant('last_used_at').notNull(),
    /** Number of sessions that refer to it. Maintained by a trigger of their table. */
    referenceCount: integer('reference_count').notNull().default(0),
  },
  (table) => [
    primaryKey({ name: 'bodies_pkey', columns: [table.owner, table.sha256] }),
    uniqueIndex('bodies_by_key').on(table.key),
    index('bodies_unused')
      .on(table.lastUsedAt)
      .where(sql`${table.referenceCount} = 0`),
  ],
)

/** Sessions with entries that refer to a body. */
export const bodyReferences = pgTable(
  'body_references',
  { sessionId: uuid('session_id').notNull(), owner: text().notNull(), sha256: text().notNull() },
  (table) => [primaryKey({ name: 'body_references_pkey', columns: [table.sessionId, table.sha256] })],
)

/** Completed and pending uploads; see Store.claimUpload. Rows are deleted some time after their links have expired. */
export const uploadClaims = pgTable(
  'upload_claims',
  {
    artifactId: uuid('artifact_id').primaryKey(),
    /** Null once the artifact was deleted: then the upload cannot be claimed again. */
    machineId: text('machine_id'),
    expiresAt: instant('expires_at').notNull(),
  },
  (table) => [index('upload_claims_by_expiry').on(table.expiresAt)],
)

export const profiles = pgTable(
  'profiles',
  {
    id: uuid().primaryKey(),
    owner: text().notNull(),
    name: text().notNull(),
    sealed: bytes().notNull(),
    sizeBytes: bigint('size_bytes', { mode: 'number' }).notNull(),
    createdAt: instant('created_at').notNull(),
    updatedAt: instant('updated_at').notNull(),
  },
  (table) => [uniqueIndex('profiles_by_name').on(table.owner, table.name)],
)

export const tasks = pgTable(
  'tasks',
  {
    id: uuid().primaryKey(),
    sessionId: uuid('session_id').notNull(),
    owner: text().notNull(),
    prompt: text().notNull(),
    status: text().$type<TaskStatus>().notNull(),
    result: jsonb().$type<Json>(),
    error: text(),
    steps: integer().notNull().default(0),
    inputTokens: bigint('input_tokens', { mode: 'number' }).notNull().default(0),
    outputTokens: bigint('output_tokens', { mode: 'number' }).notNull().default(0),
    usd: doublePrecision(),
    createdAt: instant('created_at').notNull(),
    endedAt: instant('ended_at'),
  },
  (table) => [index('tasks_by_session').on(table.sessionId, table.createdAt, table.id)],
)
