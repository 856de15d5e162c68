import type { ArtifactKind } from '../contract/entries/artifact-events.ts'

export type { ArtifactKind }

export const RECORDING_KINDS = ['VIDEO', 'TRACE', 'HAR'] as const
export type RecordingKind = (typeof RECORDING_KINDS)[number]

/** Those that the browser makes; a HAR is made of the log. */
export type BrowserRecordingKind = Exclude<RecordingKind, 'HAR'>

/** A file that a session made or was given: its row. Its bytes are in the ArtifactStore, under its key. */
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
  /** Hex SHA-256 of the bytes: the entity tag of its downloads. */
  sha256: string
  /** The page that it shows or comes from; null when it is of none. */
  pageId: string | null
  /** Milliseconds since the epoch. */
  createdAt: number
}
