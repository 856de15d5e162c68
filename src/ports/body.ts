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
