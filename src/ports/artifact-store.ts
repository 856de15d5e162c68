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
 * Where the bytes of artifacts are kept, by key. Two adapters, adapters/artifacts/disk and s3, held to one contract by
 * test/contracts/artifact-store.contract.ts. Keys are made by the domain: segments of [a-z0-9-] with / between.
 */
export interface ArtifactStore {
  /**
   * Keeps what the stream brings, without ever holding much of it in memory, and resolves once it is durable. On any
   * failure nothing is left under the key. Rejects with ArtifactTooLarge past maxBytes, StorageFull when there is no
   * room, StorageUnavailable, the stream's own error, or the signal's reason.
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
  /** Keys under the prefix with the time they were last written: to find what no row knows of. */
  list(prefix: string): AsyncIterable<{ key: string; writtenAt: number }>
  /** A URL at which a client gets the bytes from the store itself; null where the store has none to give. */
  presign(
    key: string,
    options: { contentType: string; contentDisposition: string; ttlSeconds: number },
  ): Promise<string | null>
  /** The origin of all URLs that `presign` gives; null where it gives none. */
  readonly origin: string | null
  /** Resolves when it can be used; for the start and for GET /ready. */
  ping(): Promise<void>
  /** One line for people: where. No secret in it. */
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
