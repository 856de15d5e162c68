import type { BodyData, BodyOmission } from '../contract/entries/body.ts'

/** A body as it came from the browser. */
export interface CapturedBody {
  direction: 'REQUEST' | 'RESPONSE'
  /** Those that are kept; `sizeBytes` says how many there were. */
  bytes: Uint8Array
  contentType: string | null
  sizeBytes: number
  /** Whether it is text in UTF-8. */
  isText: boolean
}

/** What stands in the entry for a body. */
export type KeptBody = { body: BodyData; omitted: null } | { body: null; omitted: BodyOmission }

/** A body that is stored apart: its row. Its bytes are in the ArtifactStore, under its key. */
export interface StoredBody {
  owner: string
  /** Of the body, in hex. */
  sha256: string
  key: string
  /** Names the key that the bytes are encrypted with; null: they are not. */
  seal: string | null
  sizeBytes: number
  /** Milliseconds since the epoch. */
  createdAt: number
}
