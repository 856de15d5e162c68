import { z } from 'zod'
import { safeInt } from './members.ts'

/** Why a request or response has no body in the log though it may have had one. */
export const BODY_OMISSIONS = [
  /** The session does not record bodies of this kind: see `capture` of startSession. */
  'NOT_CAPTURED',
  /** It has more bytes than are recorded. */
  'TOO_LARGE',
  /** It had not ended when the session did, or is of a kind that does not end. */
  'STREAMING',
  /** The browser does not give it to anybody: of another origin without permission, or not kept by it. */
  'OPAQUE',
  /** The owner's artifacts and bodies take all the bytes that they may. */
  'QUOTA',
  /** The browser, or the store, had not given or taken it within the time that an entry waits for it. */
  'LATE',
  /** The store failed, or is full. */
  'STORE_FAILED',
  /** It was deleted before its entry: see TABWIRE_BODY_RETENTION_DAYS. */
  'EXPIRED',
  /** Entries of servers from before bodies were recorded. */
  'NOT_RECORDED',
] as const
export type BodyOmission = (typeof BODY_OMISSIONS)[number]

const body = z.object({
  /** As the header says it; null: none was given. */
  contentType: z.string().nullable(),
  /** Of the whole body, as the page has it: decompressed. */
  sizeBytes: safeInt,
  /** Bytes at its end that are not kept. */
  truncated: safeInt,
  /** How `inline` is written; of stored ones, whether they are text. SEALED_…: encrypted first, then base64 (domain/bodies). */
  encoding: z.enum(['UTF8', 'BASE64', 'SEALED_UTF8', 'SEALED_BASE64']),
  /** Small ones, in the entry itself. Null: it is stored apart. */
  inline: z.string().nullable(),
  /** SHA-256, in hex, of what is stored apart, by which it is found. Null: it is inline. */
  sha256: z.string().nullable(),
})
export type BodyData = z.output<typeof body>

/** Members of an entry that says what was sent and received. */
export const bodies = {
  requestBody: body.nullable(),
  /** Null where the body is there, or there was none. */
  requestBodyOmitted: z.enum(BODY_OMISSIONS).nullable(),
  responseBody: body.nullable(),
  responseBodyOmitted: z.enum(BODY_OMISSIONS).nullable(),
}
export type EntryBodies = { [Member in keyof typeof bodies]: z.output<(typeof bodies)[Member]> }

/** Of a request of which no body is known. */
export const withoutBodies = (request: BodyOmission | null, response: BodyOmission | null) => ({
  requestBody: null,
  requestBodyOmitted: request,
  responseBody: null,
  responseBodyOmitted: response,
})
