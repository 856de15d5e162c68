import { setImmediate } from 'node:timers/promises'
import { pino } from 'pino'
import type { AgentTasks } from '../../src/domain/tasks/agent-tasks.ts'
import type { ApiKeys } from '../../src/domain/keys/api-keys.ts'
import type { Artifacts } from '../../src/domain/artifacts/artifacts.ts'
import { Bodies } from '../../src/domain/bodies/bodies.ts'
import { BodyCipher } from '../../src/domain/bodies/body-cipher.ts'
import type { Store } from '../../src/ports/store/store.ts'
import type { ArtifactStore } from '../../src/ports/artifacts/artifact-store.ts'
import type { LinkedBodies } from '../../src/domain/bodies/linked-bodies.ts'
import { encodeEntryCursor } from '../../src/domain/kernel/cursor.ts'
import type { LogBatch } from '../../src/domain/log/reading/log-follower.ts'
import type { LogReader } from '../../src/domain/log/reading/log-reader.ts'
import type { Principal } from '../../src/domain/kernel/principal.ts'
import type { MachineDirectory } from '../../src/domain/machines/machines.ts'
import type { Profiles } from '../../src/domain/profiles/profiles.ts'
import type { SessionDirectory } from '../../src/domain/sessions/session-directory.ts'
import type { SessionSnapshot } from '../../src/domain/log/entries/session-snapshot.ts'
import { TooManyWrongKeys } from '../../src/domain/keys/key-lookups.ts'
import { Authenticator } from '../../src/domain/access/authenticator.ts'
import { LiveViewLinks } from '../../src/domain/links/live-view-links.ts'
import { SignedLinks } from '../../src/domain/links/signed-links.ts'
import type { SignIn } from '../../src/domain/keys/sign-in.ts'
import type { LogExports } from '../../src/domain/links/log-exports.ts'
import type { Uploads } from '../../src/domain/links/uploads.ts'
import type { LogEntry } from '../../src/ports/log/log-entry.ts'
import type { Scope } from '../../src/ports/access/scope.ts'
import { encodeGlobalId } from '../../src/contract/global-id.ts'
import { createServer, type ServerOptions } from '../../src/server/http.ts'

export const SESSION_UUID = '01939b5e-7c1a-7e2b-8d3f-0a1b2c3d4e5f'
export const SESSION_ID = encodeGlobalId('Session', SESSION_UUID)

export function consoleEntry(sequence: number, text = `line ${sequence}`): LogEntry<'CONSOLE_MESSAGE'> {
  const place = { url: null, line: null, column: null, stack: null, pageId: 'p1', truncated: 0 }
  const said = { method: 'LOG', groupDepth: 0, arguments: 'TEXT', argumentsOmitted: 0, exceptionId: null } as const
  return {
    kind: 'CONSOLE_MESSAGE',
    sequence,
    at: Date.UTC(2026, 0, 1) + sequence,
    data: { level: 'LOG', source: 'CONSOLE', text, ...place, ...said },
  }
}

export function batchOf(entries: LogEntry[], live = true): LogBatch {
  return {
    entries,
    cursor: encodeEntryCursor(SESSION_UUID, entries.at(-1)?.sequence ?? 0),
    live,
    dropped: 0,
    droppedUnknown: false,
  }
}

/** A follower whose deliveries the test controls, and which records whether it was freed. */
class FakeFollower implements AsyncIterableIterator<LogBatch> {
  pulled = 0
  freed = false
  /** Result of `next`; null: none, until the follower is freed. */
  readonly #produce: (pull: number) => Promise<LogBatch> | LogBatch | null
  #end: (() => void) | null = null

  constructor(produce: (pull: number) => Promise<LogBatch> | LogBatch | null, signal: AbortSignal) {
    this.#produce = produce
    signal.addEventListener('abort', () => void this.return())
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async next(): Promise<IteratorResult<LogBatch, undefined>> {
    if (this.freed) return { done: true, value: undefined }
    const value = this.#produce(this.pulled++)
    if (value) {
      // As in the real one: an iterator that is always ready would starve everything else.
      if (this.pulled % 10 === 0) await setImmediate()
      return { done: false, value: await value }
    }
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#end = resolve
    await promise
    return { done: true, value: undefined }
  }

  async return(): Promise<IteratorResult<LogBatch, undefined>> {
    this.freed = true
    this.#end?.()
    return { done: true, value: undefined }
  }
}

export interface FakeServer {
  url: string
  links: SignedLinks
  followers: FakeFollower[]
  /** Lines of the server's log, parsed. */
  logged: { msg: string; correlationId?: string; err?: { message: string } }[]
  /** Declares the key of this name invalid, as if it had been revoked. */
  invalidate(key: string): void
  /** Rejects if a listener for invalid keys is left. */
  close(): Promise<void>
}

export interface FakeOptions extends Pick<
  ServerOptions,
  | 'webSocketLimits'
  | 'deliveryLimits'
  | 'requestLimits'
  | 'connectionLimits'
  | 'anonymousRequests'
  | 'clientMemory'
  | 'operationMemoryBytes'
> {
  trustedProxies?: readonly string[]
  readiness?: ServerOptions['readiness']
  /** Rejects every key as if its address had tried too many wrong ones. */
  tooManyWrongKeys?: boolean
  produce?: (pull: number) => Promise<LogBatch> | LogBatch | null
  sessions?: Partial<SessionDirectory>
  logs?: Partial<LogReader>
  linkedBodies?: Partial<LinkedBodies>
  /** What checking a key waits for. */
  authenticating?: () => Promise<void>
}

const SCOPES_OF: Record<string, Scope[]> = {
  reader: ['READ'],
  writer: ['READ', 'WRITE'],
  admin: ['READ', 'WRITE', 'CONNECT', 'KEYS', 'ADMIN'],
  connector: ['CONNECT'],
}

/** The real server over a domain controlled by a test of the transports. Keys: reader, writer, admin, connector. */
export async function startFakeServer({
  produce,
  sessions,
  logs: givenLogs,
  webSocketLimits,
  deliveryLimits,
  requestLimits,
  connectionLimits,
  anonymousRequests,
  clientMemory,
  operationMemoryBytes,
  linkedBodies = {},
  authenticating,
  trustedProxies = [],
  readiness = async () => ({ ready: false, missing: ['the database'], degraded: [] }),
  tooManyWrongKeys = false,
}: FakeOptions = {}): Promise<FakeServer> {
  const followers: FakeFollower[] = []
  const watches = new Set<{ key: string; listener: () => void }>()
  const logged: FakeServer['logged'] = []
  const session = { id: SESSION_UUID, owner: 'me', status: 'RUNNING', name: 'fake' } as SessionSnapshot

  const watchKey = (key: string, listener: () => void) => {
    const watch = { key, listener }
    watches.add(watch)
    return () => watches.delete(watch)
  }
  const apiKeys: Partial<ApiKeys> = {
    authenticate: async (secret) => {
      await authenticating?.()
      if (tooManyWrongKeys) throw new TooManyWrongKeys(1)
      const scopes = SCOPES_OF[secret]
      return scopes
        ? {
            owner: 'me',
            actor: `key:${secret}`,
            scopes: new Set(scopes),
            apiKeyId: secret,
            expiresAt: null,
            sessionId: null,
          }
        : null
    },
    onInvalid: ({ apiKeyId }: Principal, listener) => watchKey(apiKeyId, listener),
    list: async () => [],
  }
  const follow = (_session: SessionSnapshot, _args: unknown, signal: AbortSignal) => {
    const follower = new FakeFollower(produce ?? (() => null), signal)
    followers.push(follower)
    return follower
  }
  const logs: Partial<LogReader> = {
    follow: follow as unknown as LogReader['follow'],
    ...givenLogs,
  }
  const fakeSessions: Partial<SessionDirectory> = {
    find: async (owner, id) => (owner === 'me' && id === SESSION_UUID ? session : null),
    capacity: async () => ({ total: 20, live: 1, queued: 0, warm: 2 }),
    ...sessions,
  }
  const signIn: Partial<SignIn> = {
    exchange: async (code) => (code === 'good' ? { secret: 'admin', expiresAt: new Date(0) } : null),
  }
  const links = new SignedLinks(
    () => ['fake-secret-of-thirty-two-letters'],
    () => 'http://127.0.0.1',
    { isValid: async () => true, onInvalid: watchKey },
  )
  const liveViewLinks = new LiveViewLinks(links, { findRunning: async () => null })
  const server = createServer({
    config: { publicUrl: null, artifacts: { kind: 'disk' }, trustedProxies },
    artifacts: {} as Artifacts,
    bodies: new Bodies({
      store: { findBodies: async () => [] } as Partial<Store> as Store,
      bytes: {} as ArtifactStore,
      cipher: new BodyCipher([]),
      quotaBytes: 0,
      logger: pino({ level: 'silent' }),
    }),
    linkedBodies: linkedBodies as LinkedBodies,
    uploads: {} as Uploads,
    exports: {} as LogExports,
    links,
    liveViewLinks,
    callers: new Authenticator(apiKeys as ApiKeys, liveViewLinks),
    sessions: fakeSessions as SessionDirectory,
    logs: logs as LogReader,
    apiKeys: apiKeys as ApiKeys,
    machines: {} as MachineDirectory,
    drain: { request: () => 0 },
    tasks: {} as AgentTasks,
    profiles: {} as Profiles,
    signIn: signIn as SignIn,
    readiness,
    traceViewerDir: '/no/such/folder',
    logger: pino({ level: 'debug' }, { write: (line: string) => void logged.push(JSON.parse(line)) }),
    webSocketLimits,
    deliveryLimits,
    requestLimits,
    connectionLimits,
    anonymousRequests,
    clientMemory,
    operationMemoryBytes,
  })
  const { url } = await server.listen('127.0.0.1', 0)
  return {
    url,
    links,
    followers,
    logged,
    invalidate: (key) => [...watches].filter((watch) => watch.key === key).forEach(({ listener }) => listener()),
    async close() {
      await server.close(1000)
      // The last connections may tell of their end in the next turns.
      for (let turns = 0; watches.size > 0 && turns < 100; turns += 1) await setImmediate()
      if (watches.size > 0) throw new Error(`${watches.size} watches of keys were left behind`)
    },
  }
}
