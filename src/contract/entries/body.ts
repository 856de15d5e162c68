import { z } from 'zod'
import { safeInt } from './members.ts'

/** Why a body is missing in the log although there may have been one. */
export const BODY_OMISSIONS = [
  /** The session does not record bodies of this kind: see `capture` of startSession. */
  'NOT_CAPTURED',
  /** It exceeds the size limit. */
  'TOO_LARGE',
  /** It had not ended when the session did, or is of a kind that never ends. */
  'STREAMING',
  /** The browser does not expose it: cross-origin without permission, or not retained. */
  'OPAQUE',
  /** The owner's quota for artifacts and bodies is used up. */
  'QUOTA',
  /** The browser did not provide it, or the store did not accept it, within the time that an entry waits for it. */
  'LATE',
  /** The store failed, or is full. */
  'STORE_FAILED',
  /** It was deleted before its entry: see TABWIRE_BODY_RETENTION_DAYS. */
  'EXPIRED',
  /** Entries of servers that did not record bodies yet. */
  'NOT_RECORDED',
] as const
export type BodyOmission = (typeof BODY_OMISSIONS)[number]

const body = z.object({
  /** As in the header; null: none was given. */
  contentType: z.string().nullable(),
  /** Of the whole body, as the page receives it: decompressed. */
  sizeBytes: safeInt,
  /** Bytes cut from its end. */
  truncated: safeInt,
  /**
   * Encoding of `inline`; for stored bodies, whether they are text. SEALED_…: encrypted first, then base64
   * (domain/bodies).
   */
  encoding: z.enum(['UTF8', 'BASE64', 'SEALED_UTF8', 'SEALED_BASE64']),
  /** Small bodies, in the entry itself. Null: stored separately. */
  inline: z.string().nullable(),
  /** SHA-256 in hex, the key of a body that is stored separately. Null: it is inline. */
  sha256: z.string().nullable(),
})
export type BodyData = z.output<typeof body>

/** Members of an entry with a request and response. */
export const bodies = {
  requestBody: body.nullable(),
  /** Null if the body is present, or if there was none. */
  requestBodyOmitted: z.enum(BODY_OMISSIONS).nullable(),
  responseBody: body.nullable(),
  responseBodyOmitted: z.enum(BODY_OMISSIONS).nullable(),
}
export type EntryBodies = { [Member in keyof typeof bodies]: z.output<(typeof bodies)[Member]> }

/** For a request without a known body. */
export const withoutBodies = (request: BodyOmission | null, response: BodyOmission | null) => ({
  requestBody: null,
  requestBodyOmitted: request,
  responseBody: null,
  responseBodyOmitted: response,
})
