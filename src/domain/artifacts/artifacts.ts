import { pipeline, Transform, type Readable } from 'node:stream'
import type { Logger } from 'pino'
import { v7 as uuidv7 } from 'uuid'
import type { ArtifactKind, ArtifactRecord } from '../../ports/artifacts/artifact.ts'
import {
  ArtifactMissing,
  ArtifactTooLarge,
  StorageFull,
  StorageUnavailable,
  type ArtifactStore,
  type ByteRange,
} from '../../ports/artifacts/artifact-store.ts'
import type { SpaceReservation } from '../../ports/artifacts/space-reservation.ts'
import { StoreFull } from '../../ports/store/store-errors.ts'
import type { Store } from '../../ports/store/store.ts'
import { decodeArtifactCursor } from '../kernel/cursor.ts'
import { NotFound, TabwireError } from '../kernel/errors.ts'
import { insertWithRetry } from '../kernel/insert-retry.ts'
import { fileNameOf, isContentType } from './file-name.ts'
import { RecentArtifacts } from './recent-artifacts.ts'
import { pageRequest, type PageArguments } from '../kernel/pagination.ts'
import { QuotaReservations } from './quota-reservations.ts'

/** There is no space for the bytes of an artifact. */
class ArtifactStorageFull extends TabwireError {
  override readonly code = 'STORAGE_FULL'

  constructor() {
    super('The disk on which artifacts are stored is full; this one was not stored.')
  }
}

/** The owner's artifact quota is used up. */
class ArtifactQuotaExceeded extends TabwireError {
  override readonly code = 'QUOTA_EXCEEDED'

  constructor(quotaBytes: number) {
    super(`The artifact does not fit into the quota of its owner, ${quotaBytes} bytes: delete artifacts.`)
  }
}

/** The artifact store does not respond, or refuses. The server's log has the reason. */
class ArtifactStorageUnavailable extends TabwireError {
  override readonly code = 'STORAGE_UNAVAILABLE'

  constructor() {
    super('The artifact store cannot be used now. Retry later.')
  }
}

export interface NewArtifact {
  /** UUID; generated if absent. */
  id?: string
  sessionId: string
  owner: string
  kind: ArtifactKind
  /** If known before the bytes are read. */
  sizeBytes?: number
  /** As received: directories and characters that are invalid in a file name are removed. */
  name: string
  contentType: string
  pageId: string | null
  /** Expected size, as declared by the sender; null: unknown. */
  announcedBytes?: number | null
  /** The space reserved while it is written, released once it is stored or rejected; null: none yet. */
  reservation?: SpaceReservation | null
}

export interface ArtifactPage {
  artifacts: ArtifactRecord[]
  hasNextPage: boolean
  totalCount(): Promise<number>
}

export const ARTIFACT_PAGE_BOUNDS = { min: 1, max: 1000, default: 100 } as const

/** Bytes may be older than their row by the time of its commit; older ones are considered abandoned. */
const ABANDONED_AFTER_MS = 60 * 60 * 1000
const SWEEP_STEP = 500
/** Artifacts per query. */
const FIND_STEP = 500
/**
 * A file up to this size is written before the quota is checked: its row is inserted afterwards, and the check takes
 * longer than the write.
 */
const SMALL_BYTES = 4 * 1024 * 1024

/** Stores, finds, opens and deletes artifacts. Other owners' artifacts do not exist. */
export class Artifacts {
  readonly quotaBytes: number
  readonly #store: Store
  readonly #bytes: ArtifactStore
  readonly #logger: Logger
  /** Bytes that the disk has left for a file. */
  readonly #free: () => Promise<number>
  readonly #stop = new AbortController()
  readonly #saving = new Set<Promise<unknown>>()
  readonly #fresh = new RecentArtifacts()
  readonly #reservations: QuotaReservations

  /** `free`: bytes that can still be written to the artifact store. */
  constructor(
    store: Store,
    bytes: ArtifactStore,
    quotaBytes: number,
    logger: Logger,
    free = () => Promise.resolve(Number.POSITIVE_INFINITY),
  ) {
    this.#reservations = new QuotaReservations(quotaBytes, (owner) => this.#takenBytes(owner), logger)
    this.#store = store
    this.#free = free
    this.#bytes = bytes
    this.quotaBytes = quotaBytes
    this.#logger = logger
  }

  /**
   * Reads the stream to its end. Throws ArtifactStorageFull, ArtifactQuotaExceeded, ArtifactStorageUnavailable, the
   * stream's own error or the signal's reason; after any failure nothing is left behind.
   */
  async save(artifact: NewArtifact, content: Readable, signal: AbortSignal): Promise<ArtifactRecord> {
    // An unreadable file fails before it is read; reading reports that, but the 'error' event must have a listener.
    content.on('error', () => {})
    const kept = this.#save(artifact, content, AbortSignal.any([signal, this.#stop.signal]))
    this.#saving.add(kept)
    try {
      return await kept
    } finally {
      this.#saving.delete(kept)
    }
  }

  /** Space for a file of the owner that is being written. */
  reserveSpace(owner: string): SpaceReservation {
    return this.#reservations.open(owner)
  }

  async find(owner: string, id: string): Promise<ArtifactRecord | null> {
    const record = await this.findSigned(id)
    return record?.owner === owner ? record : null
  }

  /** For holders of a signed link. */
  async findSigned(id: string): Promise<ArtifactRecord | null> {
    return this.#fresh.find(id) ?? (await this.#store.findArtifact(id))
  }

  /** Those that exist, of every owner, by id. */
  async findAll(ids: readonly string[]): Promise<Map<string, ArtifactRecord>> {
    const found = new Map<string, ArtifactRecord>()
    const left: string[] = []
    for (const id of ids) {
      const fresh = this.#fresh.find(id)
      if (fresh) found.set(id, fresh)
      else left.push(id)
    }
    for (let at = 0; at < left.length; at += FIND_STEP) {
      const records = await this.#store.findArtifacts(left.slice(at, at + FIND_STEP))
      for (const record of records) found.set(record.id, record)
    }
    return found
  }

  /** The newest of one session with the file name at the end of the path. */
  findNamed(sessionId: string, kind: ArtifactKind, path: string): Promise<ArtifactRecord | null> {
    return this.#store.findNewestArtifact(sessionId, kind, fileNameOf(path))
  }

  /** Of one session, oldest first. Throws BadUserInput or CursorInvalid. */
  async list(
    sessionId: string,
    args: Pick<PageArguments, 'first' | 'after'> & { kind?: ArtifactKind | null },
  ): Promise<ArtifactPage> {
    const { limit } = pageRequest({ first: args.first }, ARTIFACT_PAGE_BOUNDS)
    const kind = args.kind ?? null
    const after = args.after == null ? null : decodeArtifactCursor(sessionId, args.after, 'after')
    const found = await this.#store.listArtifacts({ sessionId, kind, after, limit: limit + 1 })
    return {
      artifacts: found.slice(0, limit),
      hasNextPage: found.length > limit,
      totalCount: () => this.#store.countArtifacts(sessionId, kind),
    }
  }

  /** The bytes, or those of the range. Throws NotFound if they were deleted, or ArtifactStorageUnavailable. */
  async open(record: ArtifactRecord, range: ByteRange | null, signal: AbortSignal): Promise<Readable> {
    try {
      return await this.#bytes.read(keyOf(record), range, signal)
    } catch (error) {
      if (error instanceof ArtifactMissing) throw new NotFound('artifact')
      throw this.#asClientError(error)
    }
  }

  /** A URL at which the store itself serves the bytes; null: it has none. */
  async presign(record: ArtifactRecord, contentDisposition: string, ttlSeconds: number): Promise<string | null> {
    const { contentType } = record
    return this.#bytes.presign(keyOf(record), { contentType, contentDisposition, ttlSeconds })
  }

  /** The origin of all URLs from `presign`; null: it returns none. */
  get origin(): string | null {
    return this.#bytes.origin
  }

  /** The bytes first: a row without bytes can be deleted again. Throws NotFound or ArtifactStorageUnavailable. */
  async delete(owner: string, id: string): Promise<void> {
    const record = await this.find(owner, id)
    if (!record) throw new NotFound('artifact')
    await this.#remove(record)
  }

  /** Bytes of the owner's artifacts. */
  usedBytes(owner: string): Promise<number> {
    return this.#store.sumArtifactBytes(owner)
  }

  /** Deletes some artifacts whose sessions ended before the time. False: there were none. */
  async deleteEndedBefore(time: number): Promise<boolean> {
    const due = await this.#store.listArtifactsEndedBefore(time)
    for (const record of due) await this.#remove(record)
    return due.length > 0
  }

  /**
   * Removes bytes without a row, left over from a server that crashed between storing the bytes and inserting the row.
   * Only for sessions that the store knows: with a wrong DATABASE_URL all bytes would appear to be orphaned.
   */
  async sweep(now: number, signal: AbortSignal): Promise<number> {
    let removed = 0
    let batch: { key: string; id: string; sessionId: string }[] = []
    const finish = async () => {
      removed += await this.#removeUnknown(batch)
      batch = []
    }
    for await (const { key, writtenAt } of this.#bytes.list('')) {
      if (signal.aborted) return removed
      const parts = KEY.exec(key)
      if (!parts || writtenAt > now - ABANDONED_AFTER_MS) continue
      batch.push({ key, sessionId: parts[1]!, id: parts[2]! })
      if (batch.length === SWEEP_STEP) await finish()
    }
    await finish()
    return removed
  }

  /** Resolves if artifacts can be stored and read. */
  ping(): Promise<void> {
    return this.#bytes.ping()
  }

  /** Aborts pending writes, and waits until nothing of them is left behind. */
  async close(): Promise<void> {
    this.#stop.abort(new ArtifactStorageUnavailable())
    await Promise.allSettled(this.#saving)
  }

  /** Bytes that count against the quota: bodies do as well. */
  async #takenBytes(owner: string): Promise<number> {
    const [artifacts, bodies] = await Promise.all([
      this.#store.sumArtifactBytes(owner),
      this.#store.sumBodyBytes(owner),
    ])
    return artifacts + bodies
  }

  async #save(artifact: NewArtifact, content: Readable, signal: AbortSignal): Promise<ArtifactRecord> {
    const { sessionId, owner, kind, pageId } = artifact
    const id = artifact.id ?? uuidv7()
    const name = fileNameOf(artifact.name)
    const contentType = isContentType(artifact.contentType) ? artifact.contentType : 'application/octet-stream'
    const key = keyOf({ id, sessionId })
    const isSmall = artifact.sizeBytes !== undefined && artifact.sizeBytes <= SMALL_BYTES
    let reservation = artifact.reservation ?? null
    try {
      let counted = content
      let maxBytes = this.quotaBytes
      if (reservation) {
        maxBytes -= await this.#takenBytes(owner)
      } else {
        reservation = isSmall ? this.#reservations.open(owner) : await this.#reservations.openKnown(owner)
        counted = this.#counting(reservation, content, artifact.announcedBytes ?? artifact.sizeBytes ?? 0)
      }
      if (maxBytes < 0) throw new ArtifactQuotaExceeded(this.quotaBytes)
      const free = await this.#free()
      if (free <= 0) throw new ArtifactStorageFull()
      const written = await this.#bytes
        .write(key, counted, { contentType, maxBytes: Math.min(maxBytes, free) }, signal)
        .catch((error: unknown) => {
          throw error instanceof ArtifactTooLarge && free < maxBytes ? new ArtifactStorageFull() : error
        })
      const record = { id, sessionId, owner, kind, name, contentType, ...written, pageId, createdAt: Date.now() }
      const inserted = this.#reservations.beginInsert(owner)
      await this.#insert(record).then(
        () => inserted(record.sizeBytes),
        (error: unknown) => {
          inserted(0)
          throw error
        },
      )
      this.#fresh.add(record)
      return record
    } catch (error) {
      content.destroy()
      throw this.#asClientError(error)
    } finally {
      reservation?.release()
    }
  }

  /**
   * The content, which is counted in the space from before its first byte. If the expected size is known, all of it is
   * counted from now on. Throws ArtifactQuotaExceeded, as does the stream.
   */
  #counting(reservation: SpaceReservation, content: Readable, expectedBytes: number): Readable {
    if (!reservation.grow(expectedBytes)) throw new ArtifactQuotaExceeded(this.quotaBytes)
    let bytes = 0
    const counter = new Transform({
      transform: (chunk: Buffer, _, done) => {
        bytes += chunk.length
        if (bytes <= expectedBytes || reservation.grow(bytes)) done(null, chunk)
        else done(new ArtifactQuotaExceeded(this.quotaBytes))
      },
    })
    // The reader receives errors; each of the two is destroyed with the other.
    pipeline(content, counter, () => {})
    return counter
  }

  async #insert(record: ArtifactRecord): Promise<void> {
    try {
      const hasSpace = await insertWithRetry(() => this.#store.insertArtifact(record, this.quotaBytes))
      if (!hasSpace) throw new ArtifactQuotaExceeded(this.quotaBytes)
    } catch (error) {
      await this.#takeBack(record, error instanceof ArtifactQuotaExceeded)
      throw error
    }
  }

  /** Bytes whose row may exist are kept until it is known not to; otherwise the sweep removes them. */
  async #takeBack(record: ArtifactRecord, rowIsNotThere: boolean): Promise<void> {
    try {
      if (!rowIsNotThere) await this.#store.deleteArtifact(record.id)
      await this.#bytes.remove(keyOf(record))
    } catch (error) {
      this.#logger.warn({ err: error, artifactId: record.id }, 'the bytes of a refused artifact are left to the sweep')
    }
  }

  async #remove(record: ArtifactRecord): Promise<void> {
    this.#fresh.delete(record.id)
    try {
      await this.#bytes.remove(keyOf(record))
    } catch (error) {
      throw this.#asClientError(error)
    }
    await this.#store.deleteArtifact(record.id)
    this.#reservations.used(record.owner, -record.sizeBytes)
  }

  async #removeUnknown(batch: readonly { key: string; id: string; sessionId: string }[]): Promise<number> {
    if (batch.length === 0) return 0
    const known = new Set(await this.#store.findArtifactIds(batch.map(({ id }) => id)))
    const sessions = new Map<string, boolean>()
    let removed = 0
    for (const { key, id, sessionId } of batch) {
      if (known.has(id)) continue
      if (!sessions.has(sessionId)) sessions.set(sessionId, (await this.#store.findSession(sessionId)) !== null)
      if (!sessions.get(sessionId)) continue
      await this.#bytes.remove(key)
      removed += 1
    }
    return removed
  }

  /** The error as clients see it. */
  #asClientError(error: unknown): unknown {
    if (error instanceof ArtifactTooLarge) return new ArtifactQuotaExceeded(this.quotaBytes)
    if (error instanceof StoreFull) return new ArtifactStorageFull()
    if (error instanceof StorageFull) {
      this.#logger.error({ err: error }, 'an artifact could not be stored: not enough space')
      return new ArtifactStorageFull()
    }
    if (error instanceof StorageUnavailable) {
      this.#logger.error({ err: error }, 'the artifact store cannot be used')
      return new ArtifactStorageUnavailable()
    }
    return error
  }
}

const KEY = /^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/

/** Grouped by session, so that people find related files together. */
const keyOf = ({ id, sessionId }: Pick<ArtifactRecord, 'id' | 'sessionId'>) => `${sessionId}/${id}`
