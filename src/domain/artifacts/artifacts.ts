import { pipeline, Transform, type Readable } from 'node:stream'
import type { Logger } from 'pino'
import { v7 as uuidv7 } from 'uuid'
import type { ArtifactKind, ArtifactRecord } from '../../ports/artifact.ts'
import {
  ArtifactMissing,
  ArtifactTooLarge,
  StorageFull,
  StorageUnavailable,
  type ArtifactStore,
  type ByteRange,
} from '../../ports/artifact-store.ts'
import type { FileRoom } from '../../ports/file-room.ts'
import { StoreFull } from '../../ports/store-errors.ts'
import type { Store } from '../../ports/store.ts'
import { decodeArtifactCursor } from '../kernel/cursor.ts'
import { NotFound, TabwireError } from '../kernel/errors.ts'
import { insertWithRetry } from '../kernel/insert-retry.ts'
import { fileNameOf, isContentType } from './file-name.ts'
import { RecentArtifacts } from './recent-artifacts.ts'
import { pageRequest, type PageArguments } from '../kernel/pagination.ts'
import { QuotaRooms } from './quota-rooms.ts'

/** There is no room for the bytes of an artifact. */
class ArtifactStorageFull extends TabwireError {
  override readonly code = 'STORAGE_FULL'

  constructor() {
    super('The disk on which artifacts are stored is full; this one was not stored.')
  }
}

/** The owner's artifacts take all the bytes that they may. */
class ArtifactQuotaExceeded extends TabwireError {
  override readonly code = 'QUOTA_EXCEEDED'

  constructor(quotaBytes: number) {
    super(`The artifact does not fit into the quota of its owner, ${quotaBytes} bytes: delete artifacts.`)
  }
}

/** The place where the bytes of artifacts are kept does not answer, or refuses. The server's log says why. */
class ArtifactStorageUnavailable extends TabwireError {
  override readonly code = 'STORAGE_UNAVAILABLE'

  constructor() {
    super('The artifact store cannot be used now. Retry later.')
  }
}

export interface NewArtifact {
  /** UUID; made where there is none. */
  id?: string
  sessionId: string
  owner: string
  kind: ArtifactKind
  /** Where it is known before the bytes are read. */
  sizeBytes?: number
  /** As it came: a path and what else is no file name is taken off. */
  name: string
  contentType: string
  pageId: string | null
  /** Bytes that are about to come, as far as the sender says; null: unknown. */
  announcedBytes?: number | null
  /** What the file counts in while it is written, released once it is kept or was refused; null: none yet. */
  room?: FileRoom | null
}

export interface ArtifactPage {
  artifacts: ArtifactRecord[]
  hasNextPage: boolean
  totalCount(): Promise<number>
}

export const ARTIFACT_PAGE_BOUNDS = { min: 1, max: 1000, default: 100 } as const

/** Bytes may be older than their row by the time that it takes to commit it; these are taken for abandoned. */
const ABANDONED_AFTER_MS = 60 * 60 * 1000
const SWEEP_STEP = 500
/** Such a file is written before it is asked how much room is left: the row is not, and the answer takes longer. */
const SMALL_BYTES = 4 * 1024 * 1024

/** Keeps artifacts, finds them, opens them, deletes them. What is another owner's does not exist. */
export class Artifacts {
  readonly quotaBytes: number
  readonly #store: Store
  readonly #bytes: ArtifactStore
  readonly #logger: Logger
  /** Bytes that the disk has left for a file. */
  readonly #free: () => Promise<number>
  readonly #stop = new AbortController()
  readonly #keeping = new Set<Promise<unknown>>()
  readonly #fresh = new RecentArtifacts()
  readonly #rooms: QuotaRooms

  /** `free`: bytes that may still be written where artifacts are kept. */
  constructor(
    store: Store,
    bytes: ArtifactStore,
    quotaBytes: number,
    logger: Logger,
    free = () => Promise.resolve(Number.POSITIVE_INFINITY),
  ) {
    this.#rooms = new QuotaRooms(quotaBytes, (owner) => this.#takenBytes(owner), logger)
    this.#store = store
    this.#free = free
    this.#bytes = bytes
    this.quotaBytes = quotaBytes
    this.#logger = logger
  }

  /**
   * Takes the stream to its end. Throws ArtifactStorageFull, ArtifactQuotaExceeded, ArtifactStorageUnavailable, the
   * stream's own error or the signal's reason; whatever fails, nothing is left of it.
   */
  async keep(artifact: NewArtifact, content: Readable, signal: AbortSignal): Promise<ArtifactRecord> {
    // A file that cannot be read fails before anyone reads it; reading tells then, but the event must have a listener.
    content.on('error', () => {})
    const kept = this.#keep(artifact, content, AbortSignal.any([signal, this.#stop.signal]))
    this.#keeping.add(kept)
    try {
      return await kept
    } finally {
      this.#keeping.delete(kept)
    }
  }

  /** Room for a file of the owner that begins to be written. */
  openRoom(owner: string): FileRoom {
    return this.#rooms.open(owner)
  }

  async find(owner: string, id: string): Promise<ArtifactRecord | null> {
    const record = await this.findSigned(id)
    return record?.owner === owner ? record : null
  }

  /** For whoever holds a signed link. */
  async findSigned(id: string): Promise<ArtifactRecord | null> {
    return this.#fresh.find(id) ?? (await this.#store.findArtifact(id))
  }

  /** The newest of one session that is called as the last part of the path. */
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

  /** The bytes, or those of the range. Throws NotFound when they are gone, or ArtifactStorageUnavailable. */
  async open(record: ArtifactRecord, range: ByteRange | null, signal: AbortSignal): Promise<Readable> {
    try {
      return await this.#bytes.read(keyOf(record), range, signal)
    } catch (error) {
      if (error instanceof ArtifactMissing) throw new NotFound('artifact')
      throw this.#asTold(error)
    }
  }

  /** A URL at which the store itself gives the bytes; null where it has none to give. */
  async presign(record: ArtifactRecord, contentDisposition: string, ttlSeconds: number): Promise<string | null> {
    const { contentType } = record
    return this.#bytes.presign(keyOf(record), { contentType, contentDisposition, ttlSeconds })
  }

  /** The origin of all URLs that `presign` gives; null where it gives none. */
  get origin(): string | null {
    return this.#bytes.origin
  }

  /** The bytes first: a row without bytes can be deleted again. Throws NotFound or ArtifactStorageUnavailable. */
  async delete(owner: string, id: string): Promise<void> {
    const record = await this.find(owner, id)
    if (!record) throw new NotFound('artifact')
    await this.#remove(record)
  }

  /** Bytes that the owner's artifacts take. */
  usedBytes(owner: string): Promise<number> {
    return this.#store.sumArtifactBytes(owner)
  }

  /** Deletes some of those whose sessions ended before the time. False: there were none. */
  async deleteEndedBefore(time: number): Promise<boolean> {
    const due = await this.#store.listArtifactsEndedBefore(time)
    for (const record of due) await this.#remove(record)
    return due.length > 0
  }

  /**
   * Removes bytes that no row tells of, as a server leaves them that died between keeping the bytes and the row. Only
   * of sessions that the store knows: behind a wrong DATABASE_URL all of them would seem to be nobody's.
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

  /** Resolves when artifacts can be kept and read. */
  ping(): Promise<void> {
    return this.#bytes.ping()
  }

  /** Breaks off what is being kept, and waits until nothing is left of it. */
  async close(): Promise<void> {
    this.#stop.abort(new ArtifactStorageUnavailable())
    await Promise.allSettled(this.#keeping)
  }

  /** What counts in the quota: bodies do as well. */
  async #takenBytes(owner: string): Promise<number> {
    const [artifacts, bodies] = await Promise.all([
      this.#store.sumArtifactBytes(owner),
      this.#store.sumBodyBytes(owner),
    ])
    return artifacts + bodies
  }

  async #keep(artifact: NewArtifact, content: Readable, signal: AbortSignal): Promise<ArtifactRecord> {
    const { sessionId, owner, kind, pageId } = artifact
    const id = artifact.id ?? uuidv7()
    const name = fileNameOf(artifact.name)
    const contentType = isContentType(artifact.contentType) ? artifact.contentType : 'application/octet-stream'
    const key = keyOf({ id, sessionId })
    const isSmall = artifact.sizeBytes !== undefined && artifact.sizeBytes <= SMALL_BYTES
    let room = artifact.room ?? null
    try {
      let counted = content
      let maxBytes = this.quotaBytes
      if (room) {
        maxBytes -= await this.#takenBytes(owner)
      } else {
        room = isSmall ? this.#rooms.open(owner) : await this.#rooms.openKnown(owner)
        counted = this.#counting(room, content, artifact.announcedBytes ?? artifact.sizeBytes ?? 0)
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
      const inserted = this.#rooms.beginInsert(owner)
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
      throw this.#asTold(error)
    } finally {
      room?.release()
    }
  }

  /**
   * The content, which counts in the room from before its first byte. Where it is known how many are to come, all of
   * them do from now on. Throws ArtifactQuotaExceeded, as does the stream.
   */
  #counting(room: FileRoom, content: Readable, expectedBytes: number): Readable {
    if (!room.grow(expectedBytes)) throw new ArtifactQuotaExceeded(this.quotaBytes)
    let bytes = 0
    const counter = new Transform({
      transform: (chunk: Buffer, _, done) => {
        bytes += chunk.length
        if (bytes <= expectedBytes || room.grow(bytes)) done(null, chunk)
        else done(new ArtifactQuotaExceeded(this.quotaBytes))
      },
    })
    // Whoever reads it hears of errors; what is left of either is destroyed with the other.
    pipeline(content, counter, () => {})
    return counter
  }

  async #insert(record: ArtifactRecord): Promise<void> {
    try {
      const hasRoom = await insertWithRetry(() => this.#store.insertArtifact(record, this.quotaBytes))
      if (!hasRoom) throw new ArtifactQuotaExceeded(this.quotaBytes)
    } catch (error) {
      await this.#takeBack(record, error instanceof ArtifactQuotaExceeded)
      throw error
    }
  }

  /** Bytes whose row may be there stay until it is known not to be: else the sweep finds them. */
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
      throw this.#asTold(error)
    }
    await this.#store.deleteArtifact(record.id)
    this.#rooms.used(record.owner, -record.sizeBytes)
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

  /** As clients may hear it. */
  #asTold(error: unknown): unknown {
    if (error instanceof ArtifactTooLarge) return new ArtifactQuotaExceeded(this.quotaBytes)
    if (error instanceof StoreFull) return new ArtifactStorageFull()
    if (error instanceof StorageFull) {
      this.#logger.error({ err: error }, 'an artifact could not be kept: there is no room')
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

/** Below the session, so that people find what belongs together. */
const keyOf = ({ id, sessionId }: Pick<ArtifactRecord, 'id' | 'sessionId'>) => `${sessionId}/${id}`
