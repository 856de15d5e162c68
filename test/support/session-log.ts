import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, vi } from 'vitest'
import { InProcessBus } from '../../src/adapters/bus/in-process.ts'
import { openStore } from '../../src/adapters/postgres/store.ts'
import type { FollowerTiming, LogBatch } from '../../src/domain/log/reading/log-follower.ts'
import { LogReader, type LiveLog } from '../../src/domain/log/reading/log-reader.ts'
import type { LogLimits } from '../../src/domain/log/writing/log-limits.ts'
import { SessionLog } from '../../src/domain/log/writing/session-log.ts'
import type { SessionSnapshot } from '../../src/domain/log/entries/session-snapshot.ts'
import { createLogger } from '../../src/logger.ts'
import type { EntryDraft, EntryFilter, LogEntry } from '../../src/ports/log/log-entry.ts'
import type { SessionRecord } from '../../src/ports/sessions/session-record.ts'
import type { Store } from '../../src/ports/store/store.ts'
import { seedEmbeddedDatabase } from './embedded-template.ts'

/** Logs of sessions in the real embedded database, assembled as in a server, for tests of the log's guarantees. */

const logger = createLogger('silent')
const LIMITS: LogLimits = {
  maxEntries: 1_000_000,
  maxQueuedEntries: 100_000,
  maxQueuedBytes: 64 * 1024 * 1024,
  maxTailEntries: 50,
  maxTailBytes: 1024 * 1024,
}
const TIMING: FollowerTiming = { pollMs: 20, progressMs: 10 }
export const ALL: EntryFilter = { kinds: null }

let dataDir: string
/** Open while the tests of the file run. */
export let store: Store

/** Call at the top of a test file. */
export function useStore(): void {
  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'tabwire-event-log-'))
    await seedEmbeddedDatabase(dataDir)
    store = await openStore({ kind: 'embedded' }, { dataDir, logger })
  })

  afterAll(async () => {
    await store.close()
    await rm(dataDir, { recursive: true, force: true })
  })
}

function newRecord(): SessionRecord {
  const now = Date.now()
  return {
    id: randomUUID(),
    owner: 'ann',
    name: null,
    metadata: {},
    status: 'RUNNING',
    endReason: null,
    error: null,
    viewport: { width: 800, height: 600 },
    userAgent: null,
    locale: null,
    timezone: null,
    emulation: null,
    offline: false,
    capture: null,
    redact: null,
    keepAlive: false,
    idleTimeoutSeconds: 600,
    maxDurationSeconds: 3600,
    machineId: randomUUID(),
    machineEpoch: null,
    idempotencyKey: null,
    inputHash: null,
    createdAt: now,
    startedAt: now,
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
    profileId: null,
    egress: null,
    lastSequence: 0,
  }
}

export function line(text: string): EntryDraft<'CONSOLE_MESSAGE'> {
  const place = { url: null, line: null, column: null, stack: null, pageId: 'p1', truncated: 0 }
  const said = { method: 'LOG', groupDepth: 0, arguments: 'TEXT', argumentsOmitted: 0, exceptionId: null } as const
  return { kind: 'CONSOLE_MESSAGE', at: Date.now(), data: { level: 'LOG', source: 'CONSOLE', text, ...place, ...said } }
}

export const navigation: EntryDraft = {
  kind: 'NAVIGATION',
  at: 0,
  data: { pageId: 'p1', url: 'http://127.0.0.1/', sameDocument: false },
}

export const endDraft: EntryDraft<'STATUS_CHANGE'> = {
  kind: 'STATUS_CHANGE',
  at: 0,
  data: { from: 'RUNNING', to: 'CLOSED', endReason: 'TERMINATED', error: null },
}
export const endPatch = { status: 'CLOSED', endReason: 'TERMINATED', endedAt: 1 } as const

/** As in the handle of a session. */
export const liveLogOf = (log: SessionLog): LiveLog => ({
  logHead: async () => log.head,
  logTail: async (after, limit, maxBytes) => log.readTail(after, limit, maxBytes),
})

/** A session's log with its readers, assembled as in a server. */
export async function newLog(options: { limits?: Partial<LogLimits>; writeStore?: Store; readStore?: Store } = {}) {
  const record = newRecord()
  await store.insertSession(record, [])
  const bus = new InProcessBus()
  const lost = vi.fn()
  const failed = vi.fn()
  const limits = { ...LIMITS, ...options.limits }
  const events = { committed: () => bus.publish(record.id), failed, lost }
  const log = new SessionLog(options.writeStore ?? store, record, [], limits, events, logger)
  const reader = new LogReader(
    options.readStore ?? store,
    bus,
    async (id) => (id === record.id ? liveLogOf(log) : null),
    TIMING,
  )
  const session: SessionSnapshot = { ...record, pendingRequestCount: 0, expiresAt: null }
  const follow = (after: string | null = null, filter = ALL, signal = new AbortController().signal) =>
    reader.follow({ ...session, lastSequence: log.head.lastSequence }, { after, filter }, signal)
  return { record, session, log, bus, reader, follow, failed, lost, end: () => log.end(endDraft, endPatch) }
}

export async function readAll(followed: AsyncIterable<LogBatch>): Promise<LogEntry[]> {
  const entries: LogEntry[] = []
  for await (const batch of followed) entries.push(...batch.entries)
  return entries
}

export async function history(sessionId: string): Promise<LogEntry[]> {
  const entries: LogEntry[] = []
  for (let after = 0, done = false; !done;) {
    const step = await store.readEntries({ sessionId, filter: ALL, direction: 'forward', after, limit: 1000 })
    entries.push(...step.entries)
    after = step.scannedTo
    done = step.done
  }
  return entries
}

export const sequences = (entries: readonly LogEntry[]) => entries.map(({ sequence }) => sequence)
export const oneTo = (n: number) => Array.from({ length: n }, (_, index) => index + 1)
