import type { RequestTexts } from '../../contract/entries/request-texts.ts'
import type { ArtifactKind, ArtifactRecord } from '../artifacts/artifact.ts'
import type { StoredBody } from '../log/body.ts'
import type { EntryFilter, LogEntry, SessionStatus } from '../log/log-entry.ts'
import type { MachineStore } from '../machines/machine-store.ts'
import type { ProfileDescription, ProfileRecord } from '../sessions/profile.ts'
import type { TaskRecord } from '../tasks/task.ts'
import type { Json } from '../base/json.ts'
import type { Scope } from '../access/scope.ts'
import type { ApiKeyRecord } from '../access/api-key.ts'
import type { SessionHolder, SessionRecord, SessionPatch } from '../sessions/session-record.ts'
import type { StartStore } from './start-store.ts'

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

/** Start of a page of sessions: they are ordered by (createdAt, id), newest first. */
export interface SessionPosition {
  createdAt: number
  id: string
}

export interface SessionQuery {
  owner: string
  filter: SessionFilter
  /** 'forward': newest first; 'backward': the last `limit` before `before` (or of all), still returned newest first. */
  direction: 'forward' | 'backward'
  after?: SessionPosition | null
  before?: SessionPosition | null
  offset?: number
  limit: number
}

export interface SessionPage {
  records: SessionRecord[]
  /** Whether there are more beyond the page in the query's direction. */
  hasMore: boolean
}

/** Start of a page of artifacts. */
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
  /** Max number of entries, at most 1000. */
  limit: number
  /** Max total bytes of the entries' JSON text; the first entry is returned regardless of its size. */
  maxBytes?: number
  /** Key of the reader for fair scheduling; absent: the session's own. */
  reader?: string
  /** True: requests may be returned as StoredRequest, which takes a store less than parsing them. */
  withTexts?: boolean
}

/** A request as it is stored: its members as JSON, and its data, which is parsed once it is read. */
export type StoredRequest = LogEntry<'NETWORK_REQUEST'> & { readonly texts: RequestTexts }

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
 * One step of reading (guarantee 11): it examines at most a few thousand rows, of a few megabytes in all. Entries are
 * in ascending order of sequence, in either direction. Everything between the query's start and `scannedTo` (inclusive)
 * has been examined; `done` says that there is nothing further in the query's direction within its bounds, as of this
 * read.
 */
export interface EntryStep {
  /** Matching entries, and an ENTRIES_DROPPED for each that cannot be read, regardless of the filter. */
  entries: LogEntry[]
  /** Bytes of the JSON text of these entries; approximate for entries of version 0.1. */
  bytes: number
  scannedTo: number
  done: boolean
}

/** The current end of a session's log. */
export interface LogHead {
  lastSequence: number
  /** True if the row's status is final: no entry will follow lastSequence. */
  ended: boolean
}

export type AppendOutcome =
  /** Committed now or earlier: an append that is repeated after a lost response is recognized by its sequences. */
  | { kind: 'committed' }
  /** The row's lastSequence is neither the expected one nor the batch's last: another writer, or no such session. */
  | { kind: 'conflict'; lastSequence: number | null }

/** Progress of removing bodies from a session's log. */
export interface ForgottenTo {
  /** Null: the session is done, and the next one is looked up. */
  sessionId: string | null
  sequence: number
}

/** Records the server that receives the file of an upload link, or that it was received: a link is single-use. */
interface UploadClaim {
  /** Id of the artifact that the upload becomes. */
  artifactId: string
  /** The receiving server. */
  machineId: string
  /** When the link expires and the claim is no longer needed. */
  expiresAt: number
}

export type InsertSessionOutcome = { kind: 'inserted' } | { kind: 'exists'; record: SessionRecord }

/**
 * Persistent storage of sessions, their logs, API keys. One adapter (adapters/postgres) over one driver, for a
 * PostgreSQL server and for the embedded database alike; test/contracts/store.contract.ts runs against both.
 */
export interface Store extends StartStore {
  /** Leases of the servers on this database. */
  readonly machines: MachineStore

  /**
   * Commits a session's row with its first entries (sequence 1 …) in one transaction. With an idempotencyKey that its
   * owner already used, nothing is written and the earlier session is returned.
   */
  insertSession(record: SessionRecord, entries: readonly LogEntry[]): Promise<InsertSessionOutcome>
  /**
   * Commits entries `expectedLast + 1 …`, the counters and the patch in one transaction, only if the row's lastSequence
   * is `expectedLast` (guarantee 1: one writer), and it has that holder, if one is given. Throws UnstorableBatch or
   * StoreUnavailable.
   */
  append(
    sessionId: string,
    expectedLast: number,
    entries: readonly LogEntry[],
    patch?: SessionPatch,
    holder?: SessionHolder,
  ): Promise<AppendOutcome>
  /** Changes a live session's row; returns false if it does not exist, has ended, or has another holder than the given. */
  patchSession(sessionId: string, patch: SessionPatch, holder?: SessionHolder): Promise<boolean>
  findSession(sessionId: string): Promise<SessionRecord | null>
  /** Those of the sessions that exist, in any order. At most 1000 ids. */
  findSessions(sessionIds: readonly string[]): Promise<SessionRecord[]>
  findSessionByIdempotencyKey(owner: string, idempotencyKey: string): Promise<SessionRecord | null>
  /**
   * The signal cancels a read that is still queued: it rejects with the signal's reason. The same applies to all
   * signals here.
   */
  listSessions(query: SessionQuery, signal?: AbortSignal): Promise<SessionPage>
  countSessions(owner: string, filter: SessionFilter, signal?: AbortSignal): Promise<number>
  /**
   * Sessions of this machine that have not ended, of every owner: left over after a crash of the server. Without those
   * that another machine may start.
   */
  listLiveSessions(machineId: string): Promise<SessionRecord[]>
  /**
   * Sessions that have not ended although the lease they were started under is over, oldest first: those of this
   * machine, and of all machines that have left, without those that another machine may start. See MachineStore and
   * StartStore.
   */
  listLostSessions(machineId: string, limit: number): Promise<SessionRecord[]>

  readEntries(query: EntryQuery, signal?: AbortSignal): Promise<EntryStep>
  /** Number of matching entries after the position, in steps as in readEntries; continue from `scannedTo`. */
  countEntries(query: CountQuery, signal?: AbortSignal): Promise<CountStep>
  /** As in EntryStep: an ENTRIES_DROPPED replaces an entry that cannot be read. */
  findEntry(sessionId: string, sequence: number): Promise<LogEntry | null>
  findRequestEntry(sessionId: string, requestId: number): Promise<LogEntry | null>
  /** Null: there is no such session, or the deletion of its log has begun. */
  readHead(sessionId: string): Promise<LogHead | null>

  /**
   * Deletes sessions that ended before the given time: one small step (some thousand rows at most), entries before
   * their session, along with its tasks. Returns false when nothing is left to delete. Never deletes a session that has
   * not ended, nor anything of one that still has artifacts, whose bytes must be deleted first.
   */
  deleteEndedBefore(time: number): Promise<boolean>

  /** False: there is a key of this id. */
  insertApiKey(record: ApiKeyRecord): Promise<boolean>
  findApiKeyByHash(secretHash: string): Promise<ApiKeyRecord | null>
  findApiKey(id: string): Promise<ApiKeyRecord | null>
  /** Those that exist, in any order. */
  findApiKeys(ids: readonly string[]): Promise<ApiKeyRecord[]>
  /** Oldest first. owner null: every owner. limit absent: all. */
  listApiKeys(owner: string | null, limit?: number): Promise<ApiKeyRecord[]>
  /** Returns the updated record; revoking again keeps the first time. */
  revokeApiKey(id: string, time: number): Promise<ApiKeyRecord | null>
  touchApiKey(id: string, time: number): Promise<void>
  setApiKeyScopes(id: string, scopes: readonly Scope[]): Promise<void>
  /** Deletes keys named SIGN_IN_KEY_NAME that expired before the given time. */
  deleteExpiredApiKeys(time: number): Promise<void>

  /**
   * Inserts the row if the owner's artifacts and bodies, including this one, stay within the quota, even with
   * concurrent inserts. False: they would not, and nothing was inserted.
   */
  insertArtifact(record: ArtifactRecord, quotaBytes: number): Promise<boolean>
  findArtifact(id: string): Promise<ArtifactRecord | null>
  /** Those that exist, in any order; callers request some hundreds at most. */
  findArtifacts(ids: readonly string[]): Promise<ArtifactRecord[]>
  /** Oldest first, by (createdAt, id); after: exclusive. */
  listArtifacts(query: ArtifactQuery): Promise<ArtifactRecord[]>
  /** The newest with that name. */
  findNewestArtifact(sessionId: string, kind: ArtifactKind, name: string): Promise<ArtifactRecord | null>
  countArtifacts(sessionId: string, kind: ArtifactKind | null): Promise<number>
  /** False: it did not exist. A claim of the artifact's upload remains, so the upload cannot be repeated. */
  deleteArtifact(id: string): Promise<boolean>
  /** Bytes of the owner's artifacts, without bodies. */
  sumArtifactBytes(owner: string): Promise<number>
  /**
   * Artifacts of sessions that ended before the time, some hundreds at most: their bytes are deleted before their rows.
   */
  listArtifactsEndedBefore(time: number): Promise<ArtifactRecord[]>
  /** Which of these ids have a row. */
  findArtifactIds(ids: readonly string[]): Promise<string[]>

  /**
   * Records that entries of the session refer to a body with this hash and encryption key. False: it does not exist.
   * Idempotent. The body is retained as long as the session's references exist.
   */
  referToBody(sessionId: string, body: Pick<StoredBody, 'owner' | 'sha256' | 'seal'>, at: number): Promise<boolean>
  /**
   * Inserts the row of a body whose bytes are stored, and the session's reference to it, within the quota as
   * insertArtifact does. KNOWN: the same body was stored meanwhile with other bytes, and these are unused. Repeated
   * after a lost response: KEPT.
   */
  insertBody(sessionId: string, body: StoredBody, quotaBytes: number): Promise<'KEPT' | 'KNOWN' | 'OVER_QUOTA'>
  /** Those that exist, in any order; callers request some hundreds at most. */
  findBodies(owner: string, hashes: readonly string[]): Promise<StoredBody[]>
  /** Bytes of the owner's bodies that are stored separately. */
  sumBodyBytes(owner: string): Promise<number>
  /**
   * Deletes some hundreds of bodies that no session refers to and that were not used since. Returns the keys of their
   * bytes.
   */
  deleteUnusedBodies(unusedSince: number): Promise<string[]>
  /**
   * Removes the bodies from the entries of sessions that ended before the time, in small steps: EXPIRED. Returns the
   * start of the next step; null: done.
   */
  forgetBodies(endedBefore: number, after: ForgottenTo | null): Promise<ForgottenTo | null>
  /** Which of these keys have a row. */
  findBodyKeys(keys: readonly string[]): Promise<string[]>
  /** Which of these are hashes of owners that ever stored anything: 32 hex digits of the SHA-256 of an owner. */
  findBodyOwners(hashes: readonly string[]): Promise<string[]>

  /**
   * If several servers claim an upload at once, one succeeds. False: another server has claimed it, or its artifact
   * exists or was deleted. A server may repeat its own claim: it may have crashed meanwhile.
   */
  claimUpload(claim: UploadClaim): Promise<boolean>
  /** The upload failed: it can be claimed again. No effect once the artifact exists. */
  releaseUpload(artifactId: string): Promise<void>
  /** Deletes some hundreds of claims that expired before the time. False: there were none. */
  deleteUploadClaims(expiredBefore: number): Promise<boolean>

  /** Saves the profile; one with the same owner and name is replaced and keeps its id and createdAt. */
  saveProfile(record: ProfileRecord): Promise<ProfileDescription>
  /** Including its encrypted contents, which may be large. */
  findProfile(id: string): Promise<ProfileRecord | null>
  describeProfile(id: string): Promise<ProfileDescription | null>
  /** By name. */
  listProfiles(owner: string): Promise<ProfileDescription[]>
  /** False: it did not exist. */
  deleteProfile(id: string): Promise<boolean>

  insertTask(record: TaskRecord): Promise<void>
  /** No effect once the task has ended: only the first end counts. */
  updateTask(
    id: string,
    change: Partial<Pick<TaskRecord, 'status' | 'result' | 'error' | 'steps' | 'cost' | 'endedAt'>>,
  ): Promise<void>
  findTask(id: string): Promise<TaskRecord | null>
  /** Oldest first, a few dozen: those after the given one. */
  listTasks(sessionId: string, after: TaskRecord | null): Promise<TaskRecord[]>

  /** Resolves if the database responds and is writable; otherwise rejects with StoreUnavailable. For GET /ready. */
  ping(): Promise<void>
  /** One line for people: the database and its location. Contains no password. */
  describe(): string
  close(): Promise<void>
}
