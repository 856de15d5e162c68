import type { Readable } from 'node:stream'

/** First and last byte, both inclusive, as HTTP counts. */
export interface ByteRange {
  start: number
  end: number
}

export interface WrittenArtifact {
  sizeBytes: number
  /** Hex. */
  sha256: string
}

/**
 * Stores the bytes of artifacts by key. Two adapters, adapters/artifacts/disk and s3, pass the same contract:
 * test/contracts/artifact-store.contract.ts. Keys are chosen by the domain: segments of [a-z0-9-] separated by /.
 */
export interface ArtifactStore {
  /**
   * Stores the stream, buffering only a little of it, and resolves once it is durable. After a failure nothing is
   * stored under the key. Rejects with ArtifactTooLarge past maxBytes, StorageFull when there is no space,
   * StorageUnavailable, the stream's own error, or the signal's reason.
   */
  write(
    key: string,
    content: Readable,
    options: { contentType: string; maxBytes: number },
    signal: AbortSignal,
  ): Promise<WrittenArtifact>
  /** The bytes, or those of the range. Rejects with ArtifactMissing or StorageUnavailable. */
  read(key: string, range: ByteRange | null, signal: AbortSignal): Promise<Readable>
  /** Idempotent. */
  remove(key: string): Promise<void>
  /** Keys under the prefix with the time of their last write: to find bytes without a row. */
  list(prefix: string): AsyncIterable<{ key: string; writtenAt: number }>
  /** A URL at which clients download the bytes from the store itself; null: the store has none. */
  presign(
    key: string,
    options: { contentType: string; contentDisposition: string; ttlSeconds: number },
  ): Promise<string | null>
  /** The origin of all URLs from `presign`; null: it returns none. */
  readonly origin: string | null
  /** Resolves if the store is usable; for startup and GET /ready. */
  ping(): Promise<void>
  /** One line for people: the location. Contains no secret. */
  describe(): string
  close(): Promise<void>
}

export class ArtifactTooLarge extends Error {
  override readonly name = 'ArtifactTooLarge'
}

export class ArtifactMissing extends Error {
  override readonly name = 'ArtifactMissing'
}

export class StorageFull extends Error {
  override readonly name = 'StorageFull'
}

export class StorageUnavailable extends Error {
  override readonly name = 'StorageUnavailable'
}
