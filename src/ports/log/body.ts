import type { BodyData, BodyOmission } from '../../contract/entries/body.ts'

/** A body as received from the browser. */
export interface CapturedBody {
  direction: 'REQUEST' | 'RESPONSE'
  /** The recorded bytes; `sizeBytes` is the original size. */
  bytes: Uint8Array
  contentType: string | null
  sizeBytes: number
  /** Whether it is text in UTF-8. */
  isText: boolean
}

/** Members of an entry that describe a body. */
export type SavedBody = { body: BodyData; omitted: null } | { body: null; omitted: BodyOmission }

/** The row of a body that is stored separately. Its bytes are in the ArtifactStore, under its key. */
export interface StoredBody {
  owner: string
  /** SHA-256 of the body, in hex. */
  sha256: string
  key: string
  /** Id of the key that the bytes are encrypted with; null: they are not. */
  seal: string | null
  sizeBytes: number
  /** Milliseconds since the epoch. */
  createdAt: number
}
