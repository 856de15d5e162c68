import type { ArtifactKind, ArtifactRecord } from './artifact.ts'
import type { StoredBody } from './body.ts'
import type { EntryFilter, LogEntry, SessionStatus } from './log-entry.ts'
import type { ProfileDescription, ProfileRecord } from './profile.ts'
import type { TaskRecord } from './task.ts'
import type { Json } from './json.ts'
import type { Scope } from './scope.ts'
import type { ApiKeyRecord } from './api-key.ts'
import type { SessionRecord, SessionPatch } from './session-record.ts'

export interface SessionFilter {
  status?: readonly SessionStatus[] | null
  /** Inclusive. */
  createdAfter?: number | null
  /** Exclusive. */
  createdBefore?: number | null
  /** Equal to the whole name. */
  name?: string | null
  /** Sessions whose metadata contains all of this (PostgreSQL's @>). */
  metadata?: { [key: string]: Json } | null
}

/** Where a page of sessions starts: sessions are ordered by (createdAt, id), newest first. */
export interface SessionPosition {
  createdAt: number
  id: string
}

export interface SessionQuery {
  owner: string
  filter: SessionFilter
  /** 'forward': from the newest on; 'backward': the last `limit` before `before` (or of all), still returned newest first. */
  direction: 'forward' | 'backward'
  after?: SessionPosition | null
  before?: SessionPosition | null
  offset?: number
  limit: number
}

export interface SessionPage {
  records: SessionRecord[]
  /** Whether more lie beyond the page in the query's direction. */
  hasMore: boolean
}

/** Where a page of artifacts starts. */
interface ArtifactQuery {
  sessionId: string
  kind: ArtifactKind | null
  after: { createdAt: number; id: string } | null
  limit: number
}

export interface EntryQuery {
  sessionId: string
  filter: EntryFilter
  direction: 'forward' | 'backward'
  /** Exclusive bounds: after < sequence < before. */
  after?: number
  before?: number
  /** Most entries to return, at most 1000. */
  limit: number
  /** Most bytes of JSON text that the entries may have together; the first is returned however large it is. */
  maxBytes?: number
  /** Whose turn it takes, since readers take turns; absent: the session's own. */
  reader?: string
}

/** What is counted; see Store.countEntries. */
export interface CountQuery {
  sessionId: string
  filter: EntryFilter
  /** Exclusive. */
  after: number
  /** As in EntryQuery. */
  reader?: string
}

/** One step of counting: see EntryStep. */
export interface CountStep {
  count: number
  scannedTo: number
  done: boolean
}

/**
 * One step of reading (guarantee 11): at most a few thousand rows, and a few megabytes of them, were looked at. Entries are in ascending order of sequence,
 * in either direction. Everything between the query's start and `scannedTo` (inclusive) has been looked at; `done`
 * says that nothing further lies in the query's direction within its bounds, as of this read.
 */
export interface EntryStep {
  /** Those that match, and in the place of each that cannot be read an ENTRIES_DROPPED, whatever the filter says. */
  entries: LogEntry[]
  /** Of the JSON text of these entries, or about that many for entries of version 0.1. */
  bytes: number
  scannedTo: number
  done: boolean
}

/** Where the log of a session ends now. */
export interface LogHead {
  lastSequence: number
  /** True when the row's status is final: no entry will follow lastSequence. */
  ended: boolean
}

export type AppendOutcome =
  /** Committed now, or found committed: a repeated append after a lost answer is recognised by its sequences. */
  | { kind: 'committed' }
  /** The row's lastSequence is neither the expected one nor the batch's own end: another writer, or no such session. */
  | { kind: 'conflict'; lastSequence: number | null }

/** How far the bodies of a session have been taken out of its log. */
export interface ForgottenTo {
  /** Null: a session is done, and the next is looked for. */
  sessionId: string | null
  sequence: number
}

/** Says which server takes the file of an upload link, or that it was taken: a link is good once. */
interface UploadClaim {
  /** Of the artifact that the upload becomes. */
  artifactId: string
  /** The server that takes it. */
  machineId: string
  /** When the link expires, and the claim is needed no more. */
  expiresAt: number
}

export type InsertSessionOutcome = { kind: 'inserted' } | { kind: 'exists'; record: SessionRecord }

/**
 * What is kept: sessions, their logs, API keys. One adapter (adapters/postgres) over one driver, for a PostgreSQL server
 * and for the embedded database alike; test/contracts/store.contract.ts runs against both.
 */
export interface Store {
  /**
   * Commits a session's row with its first entries (sequence 1 …) in one transaction. With an idempotencyKey that its
   * owner already used, nothing is written and the earlier session is returned.
   */
  insertSession(record: SessionRecord, entries: readonly LogEntry[]): Promise<InsertSessionOutcome>
  /**
   * Commits entries `expectedLast + 1 …`, the counters and the patch in one transaction, only if the row's
   * lastSequence is `expectedLast` (guarantee 1: one writer). Throws UnstorableBatch or StoreUnavailable.
   */
  append(
    sessionId: string,
    expectedLast: number,
    entries: readonly LogEntry[],
    patch?: SessionPatch,
  ): Promise<AppendOutcome>
  /** Changes a live session's row; returns false if there is none or it has ended. */
  patchSession(sessionId: string, patch: SessionPatch): Promise<boolean>
  findSession(sessionId: string): Promise<SessionRecord | null>
  findSessionByIdempotencyKey(owner: string, idempotencyKey: string): Promise<SessionRecord | null>
  /** The signal drops a read that still waits for its turn: it rejects with the signal's reason. So wherever it is. */
  listSessions(query: SessionQuery, signal?: AbortSignal): Promise<SessionPage>
  countSessions(owner: string, filter: SessionFilter, signal?: AbortSignal): Promise<number>
  /** Sessions of this machine that have not ended, of every owner: what a crash of the server left behind. */
  listLiveSessions(machineId: string): Promise<SessionRecord[]>

  readEntries(query: EntryQuery, signal?: AbortSignal): Promise<EntryStep>
  /** Number of matching entries after the place, in steps as of readEntries; continue from `scannedTo`. */
  countEntries(query: CountQuery, signal?: AbortSignal): Promise<CountStep>
  /** As in EntryStep: an ENTRIES_DROPPED in the place of an entry that cannot be read. */
  findEntry(sessionId: string, sequence: number): Promise<LogEntry | null>
  findRequestEntry(sessionId: string, requestId: number): Promise<LogEntry | null>
  readHead(sessionId: string): Promise<LogHead | null>

  /**
   * Deletes what ended before the given time: one small step (some thousand rows at most), entries before their
   * session, and its tasks with it. Returns false when nothing is left to delete. Never touches a session that has not
   * ended, nor one that still has artifacts, whose bytes must go first.
   */
  deleteEndedBefore(time: number): Promise<boolean>

  /** False: there is a key of this id. */
  insertApiKey(record: ApiKeyRecord): Promise<boolean>
  findApiKeyByHash(secretHash: string): Promise<ApiKeyRecord | null>
  findApiKey(id: string): Promise<ApiKeyRecord | null>
  /** Those of them that there are, in any order. */
  findApiKeys(ids: readonly string[]): Promise<ApiKeyRecord[]>
  /** Oldest first. owner null: every owner's. limit absent: all. */
  listApiKeys(owner: string | null, limit?: number): Promise<ApiKeyRecord[]>
  /** Returns the record after the change; revoking twice keeps the first time. */
  revokeApiKey(id: string, time: number): Promise<ApiKeyRecord | null>
  touchApiKey(id: string, time: number): Promise<void>
  setApiKeyScopes(id: string, scopes: readonly Scope[]): Promise<void>
  /** Deletes keys named SIGN_IN_KEY_NAME that expired before the given time. */
  deleteExpiredApiKeys(time: number): Promise<void>

  /**
   * Keeps the row if the bytes of the owner's artifacts and bodies, this one's included, stay within the quota: also when
   * several are kept at once. False: they would not, and nothing was kept.
   */
  insertArtifact(record: ArtifactRecord, quotaBytes: number): Promise<boolean>
  findArtifact(id: string): Promise<ArtifactRecord | null>
  /** Oldest first, by (createdAt, id); after: exclusive. */
  listArtifacts(query: ArtifactQuery): Promise<ArtifactRecord[]>
  /** The newest of that name. */
  findNewestArtifact(sessionId: string, kind: ArtifactKind, name: string): Promise<ArtifactRecord | null>
  countArtifacts(sessionId: string, kind: ArtifactKind | null): Promise<number>
  /** False: there was none. A claim of the artifact's upload stays, and nobody can make it again. */
  deleteArtifact(id: string): Promise<boolean>
  /** Bytes of the owner's artifacts, without bodies. */
  sumArtifactBytes(owner: string): Promise<number>
  /** Artifacts of sessions that ended before the time, some hundreds at most: their bytes go before their rows. */
  listArtifactsEndedBefore(time: number): Promise<ArtifactRecord[]>
  /** Which of these ids have a row. */
  findArtifactIds(ids: readonly string[]): Promise<string[]>

  /**
   * Notes that entries of the session name a body that is stored and sealed like this. False: there is none. Saying it again
   * changes nothing. Until the session's references are gone, the body stays.
   */
  referToBody(sessionId: string, body: Pick<StoredBody, 'owner' | 'sha256' | 'seal'>, at: number): Promise<boolean>
  /**
   * Keeps the row of a body whose bytes are stored, and the session's reference to it, within the quota as insertArtifact
   * does. KNOWN: the same one was kept meanwhile with other bytes, and these are nobody's. Repeated after a lost answer: KEPT.
   */
  insertBody(sessionId: string, body: StoredBody, quotaBytes: number): Promise<'KEPT' | 'KNOWN' | 'OVER_QUOTA'>
  /** Those that there are, in any order; some hundreds at most are asked for. */
  findBodies(owner: string, hashes: readonly string[]): Promise<StoredBody[]>
  /** Bytes of the owner's bodies that are stored apart. */
  sumBodyBytes(owner: string): Promise<number>
  /** Deletes some hundreds of bodies that no session refers to and none has used since. Returns the keys of their bytes. */
  deleteUnusedBodies(unusedSince: number): Promise<string[]>
  /**
   * Takes the bodies out of the entries of sessions that ended before the time, in small steps: EXPIRED. Returns where the
   * next step begins; null: nothing is left to do.
   */
  forgetBodies(endedBefore: number, after: ForgottenTo | null): Promise<ForgottenTo | null>
  /** Which of these keys have a row. */
  findBodyKeys(keys: readonly string[]): Promise<string[]>
  /** Which of these are the hashes of owners that ever stored anything: 32 hex digits of the SHA-256 of an owner. */
  findBodyOwners(hashes: readonly string[]): Promise<string[]>

  /**
   * Of several servers that claim an upload at once one succeeds. False: another server has claimed it, or its artifact is
   * there or was deleted. A server may claim again what it has claimed itself: it may have died meanwhile.
   */
  claimUpload(claim: UploadClaim): Promise<boolean>
  /** The upload failed: it can be claimed again. Does nothing once there is an artifact. */
  releaseUpload(artifactId: string): Promise<void>
  /** Deletes some hundreds of claims that expired before the time. False: there were none. */
  deleteUploadClaims(expiredBefore: number): Promise<boolean>

  /** Keeps the profile; one of the same owner and name is replaced and keeps its id and createdAt. */
  saveProfile(record: ProfileRecord): Promise<ProfileDescription>
  /** With what is sealed in it, which may be large. */
  findProfile(id: string): Promise<ProfileRecord | null>
  describeProfile(id: string): Promise<ProfileDescription | null>
  /** By name. */
  listProfiles(owner: string): Promise<ProfileDescription[]>
  /** False: there was none. */
  deleteProfile(id: string): Promise<boolean>

  insertTask(record: TaskRecord): Promise<void>
  updateTask(
    id: string,
    change: Partial<Pick<TaskRecord, 'status' | 'result' | 'error' | 'steps' | 'cost' | 'endedAt'>>,
  ): Promise<void>
  findTask(id: string): Promise<TaskRecord | null>
  /** Oldest first, some tens of them: those after the given one. */
  listTasks(sessionId: string, after: TaskRecord | null): Promise<TaskRecord[]>

  /** Resolves if the database answers and can be written; else rejects with StoreUnavailable. For GET /ready. */
  ping(): Promise<void>
  /** One line for people: which database, where. No password in it. */
  describe(): string
  close(): Promise<void>
}
