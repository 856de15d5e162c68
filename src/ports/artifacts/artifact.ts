import type { ArtifactKind } from '../../contract/entries/artifact-events.ts'

export type { ArtifactKind }

export const RECORDING_KINDS = ['VIDEO', 'TRACE', 'HAR'] as const
export type RecordingKind = (typeof RECORDING_KINDS)[number]

/** Recordings made by the browser; a HAR is generated from the log. */
export type BrowserRecordingKind = Exclude<RecordingKind, 'HAR'>

/** The row of a file that a session produced or received. Its bytes are in the ArtifactStore, under its key. */
export interface ArtifactRecord {
  /** UUID version 7. */
  id: string
  sessionId: string
  owner: string
  kind: ArtifactKind
  /** A file name without a path. */
  name: string
  contentType: string
  sizeBytes: number
  /** Hex SHA-256 of the bytes: the ETag of its downloads. */
  sha256: string
  /** The page that it shows or comes from; null: none. */
  pageId: string | null
  /** Milliseconds since the epoch. */
  createdAt: number
}
