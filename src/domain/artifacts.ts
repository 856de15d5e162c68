import type { Readable } from 'node:stream'
import type { ArtifactKind, ArtifactRecord } from '../ports/artifact.ts'
import type { ArtifactStore } from '../ports/artifact-store.ts'
import type { Store } from '../ports/store.ts'
import { TabwireError } from './errors.ts'

/** There is no room for the bytes of an artifact. */
export class ArtifactStorageFull extends TabwireError {
  override readonly code = 'STORAGE_FULL'
}

/** The owner's artifacts take all the bytes that they may. */
export class ArtifactQuotaExceeded extends TabwireError {
  override readonly code = 'QUOTA_EXCEEDED'
}

export interface NewArtifact {
  sessionId: string
  owner: string
  kind: ArtifactKind
  name: string
  contentType: string
  pageId: string | null
}

/** Keeps artifacts, finds them, signs links to them, deletes them. */
export class Artifacts {
  readonly #store: Store
  readonly #bytes: ArtifactStore
  readonly #quotaBytes: number

  constructor(store: Store, bytes: ArtifactStore, quotaBytes: number) {
    this.#store = store
    this.#bytes = bytes
    this.#quotaBytes = quotaBytes
  }

  /** Throws ArtifactStorageFull or ArtifactQuotaExceeded; whatever fails, nothing is left of it. */
  async keep(_artifact: NewArtifact, _content: Readable, _signal: AbortSignal): Promise<ArtifactRecord> {
    throw new Error(`not made yet ${this.#quotaBytes} ${this.#bytes.describe()} ${this.#store.describe()}`)
  }
}
