import { isDeepStrictEqual } from 'node:util'
import { v7 as uuidv7 } from 'uuid'
import type { RecordingKind } from '../../../ports/artifacts/artifact.ts'
import type { BrowserOptions } from '../../../ports/browser/browser.ts'
import type { CaptureOptions } from '../../../ports/browser/capture.ts'
import type { EgressPolicy } from '../../../ports/egress/egress.ts'
import { NO_EMULATION } from '../../../ports/browser/emulation.ts'
import type { LogEntry } from '../../../ports/log/log-entry.ts'
import { StoreFull } from '../../../ports/store/store-errors.ts'
import type { InsertSessionOutcome, Store } from '../../../ports/store/store.ts'
import type { Json } from '../../../ports/base/json.ts'
import type { SessionRecord } from '../../../ports/sessions/session-record.ts'
import { shownEgress } from './egress-input.ts'
import { emulationOf, httpCredentialsOf } from './emulation-input.ts'
import { BadUserInput } from '../../kernel/errors.ts'
import { insertWithRetry } from '../../kernel/insert-retry.ts'
import { StorageFull } from '../../artifacts/free-space.ts'
import { hashOfOptions } from './idempotency.ts'
import type { SessionOptions } from './session-input.ts'
import { canonicalTimezone } from './session-rules.ts'

/** The row of a new session. */
export function newSessionRecord(
  owner: string,
  options: SessionOptions,
  profileId: string | null,
  policy: EgressPolicy,
  recording: Pick<SessionRecord, 'capture' | 'redact'>,
  machine: Pick<SessionRecord, 'machineId' | 'machineEpoch'>,
): SessionRecord {
  const now = Date.now()
  const { name, metadata, viewport, userAgent, locale, timezone, keepAlive } = options
  const { idleTimeoutSeconds, maxDurationSeconds, idempotencyKey, offline } = options
  const emulation = emulationOf(options)
  return {
    id: uuidv7(),
    owner,
    name,
    metadata,
    status: 'CREATING',
    endReason: null,
    error: null,
    viewport,
    userAgent,
    locale,
    timezone,
    emulation: isDeepStrictEqual(emulation, NO_EMULATION) ? null : emulation,
    offline,
    ...recording,
    keepAlive,
    idleTimeoutSeconds,
    maxDurationSeconds,
    ...machine,
    idempotencyKey,
    inputHash: idempotencyKey === null ? null : hashOfOptions(options),
    createdAt: now,
    startedAt: null,
    lastActivityAt: now,
    endedAt: null,
    currentUrl: null,
    title: null,
    lastNavigationError: null,
    navigationCount: 0,
    consoleMessageCount: 0,
    networkRequestCount: 0,
    actionCount: 0,
    screenshotCount: 0,
    consoleErrorCount: 0,
    failedRequestCount: 0,
    cost: { inputTokens: 0, outputTokens: 0, usd: 0 },
    profileId,
    egress: shownEgress(policy),
    lastSequence: 1,
  }
}

/** The first entry of its log. */
export function firstEntryOf({ createdAt }: SessionRecord): LogEntry<'STATUS_CHANGE'> {
  const data = { from: null, to: 'CREATING', endReason: null, error: null } as const
  return { kind: 'STATUS_CHANGE', sequence: 1, at: createdAt, data }
}

/** The options for its browser. */
export function browserOptionsOf(
  options: SessionOptions,
  storageState: Json,
  egress: EgressPolicy,
  capture: CaptureOptions,
): BrowserOptions {
  const { viewport, userAgent, locale, extraHeaders } = options
  const timezone = options.timezone === null ? null : canonicalTimezone(options.timezone)
  return {
    viewport,
    userAgent,
    locale,
    timezone,
    extraHeaders,
    emulation: emulationOf(options),
    httpCredentials: httpCredentialsOf(options),
    offline: options.offline,
    capture,
    storageState,
    record: options.record.filter((kind) => kind !== 'HAR'),
    egress,
  }
}

/** Throws BadUserInput for recordings that this host cannot make. */
export function requireRecordings(
  kinds: readonly RecordingKind[],
  unavailable: Partial<Record<RecordingKind, string>>,
): void {
  const issues = kinds.flatMap((kind, index) => {
    const message = unavailable[kind]
    return message === undefined ? [] : [{ path: ['input', 'record', index], code: 'UNAVAILABLE', message }]
  })
  if (issues.length > 0) throw new BadUserInput(issues)
}

/** Retries after a lost response: the store recognizes the row by its id, and otherwise the row would be orphaned. */
export function insertNewSession(
  store: Store,
  record: SessionRecord,
  firstEntry: LogEntry,
): Promise<InsertSessionOutcome> {
  return insertWithRetry(() => store.insertSession(record, [firstEntry])).catch(asStorageFull)
}

/** Throws the error, which says STORAGE_FULL if the disk of the database is. */
export function asStorageFull(error: unknown): never {
  if (error instanceof StoreFull) throw new StorageFull('The disk of the database is full. Free disk space.')
  throw error
}
