import { isUtf8 } from 'node:buffer'
import type { Logger } from 'pino'
import type { CapturedBody, SavedBody } from '../../ports/log/body.ts'
import { TEXT_LIMITS } from '../../ports/log/log-entry.ts'
import { NO_REDACTION } from '../../ports/sessions/redaction.ts'
import type { SessionRecord } from '../../ports/sessions/session-record.ts'
import type { Bodies } from '../bodies/bodies.ts'
import { cutText } from '../kernel/errors.ts'
import { Redaction, RedactionTooSlow } from '../redaction/redaction.ts'

/** Saves the bodies of one session's requests, with secrets redacted. */
export class BodyRecorder {
  /** Shared by the whole log of the session. */
  readonly redaction: Redaction
  readonly #session: Pick<SessionRecord, 'id' | 'owner'>
  readonly #bodies: Bodies
  readonly #logger: Logger

  constructor(session: Pick<SessionRecord, 'id' | 'owner' | 'redact'>, bodies: Bodies, logger: Logger) {
    this.redaction = new Redaction(session.redact ?? NO_REDACTION)
    this.#session = session
    this.#bodies = bodies
    this.#logger = logger
  }

  /** See EventSink.saveBody. */
  async save({ bytes: given, contentType, sizeBytes, isText }: CapturedBody): Promise<SavedBody> {
    try {
      const text = isText ? wholeCharacters(given) : null
      const redacted = await this.redaction.body(text ?? given, contentType, text !== null)
      return await this.#bodies.save(this.#session, {
        bytes: redacted,
        contentType: contentType === null ? null : cutText(this.redaction.text(contentType), TEXT_LIMITS.headerName),
        sizeBytes,
        truncated: Math.max(0, sizeBytes - (text ?? given).length),
        isText: text !== null,
      })
    } catch (error) {
      if (error instanceof RedactionTooSlow) return { body: null, omitted: 'LATE' }
      this.#logger.error({ err: error }, 'a body could not be kept')
      return { body: null, omitted: 'STORE_FAILED' }
    }
  }
}

/** The bytes without a partial character at the end of a truncated text. Null if it is not UTF-8. */
function wholeCharacters(bytes: Uint8Array): Uint8Array | null {
  for (let cut = 0; cut <= 3 && cut <= bytes.length; cut += 1) {
    const shorter = bytes.subarray(0, bytes.length - cut)
    if (isUtf8(shorter)) return shorter
  }
  return null
}
