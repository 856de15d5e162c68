import type { EntryFilter } from '../../ports/log/log-entry.ts'
import type { SessionRecord } from '../../ports/sessions/session-record.ts'
import type { Store } from '../../ports/store/store.ts'
import { Har, type HarSource } from '../exports/har.ts'
import { ndjsonOf } from '../exports/ndjson.ts'
import { decodeEntryCursor, encodeEntryCursor, CursorInvalid } from '../kernel/cursor.ts'
import { BadUserInput, NotFound } from '../kernel/errors.ts'
import type { Principal } from '../kernel/principal.ts'
import { answerOr } from '../kernel/session-state.ts'
import { checkedFilter } from '../log/entries/entry-filter.ts'
import type { FindLiveLog } from '../log/reading/log-reader.ts'
import type { LogSpan } from '../log/reading/log-span.ts'
import type { GivenLinkQuery, LinkQuery, LinkTerms, SignedLinks } from './signed-links.ts'

export type ExportFormat = 'HAR' | 'NDJSON'

/** The terms of an export, from its link. */
export interface ExportSubject {
  /** UUID. */
  sessionId: string
  format: ExportFormat
  /** As JSON, as of the creation of the link. */
  filter: string
}

export interface ExportTicket extends ExportSubject, LinkTerms {}

/** An export that can be read. */
export interface OpenExport {
  session: SessionRecord
  /** The cursor at which the export ends, to resume after it. */
  cursor: string
  pieces(signal: AbortSignal): AsyncGenerator<string>
}

/** For the filter in a link: servers and proxies reject URLs of more than 16 KiB. */
const FILTER_LENGTH = 4_096

/** Exports logs of live and ended sessions to holders of a signed link. */
export class LogExports {
  readonly #source: HarSource & { store: Store }
  readonly #links: SignedLinks
  readonly #liveLog: FindLiveLog

  constructor(source: HarSource & { store: Store }, links: SignedLinks, liveLog: FindLiveLog) {
    this.#source = source
    this.#links = links
    this.#liveLog = liveLog
  }

  /** Permission to read an export until the link expires. Throws BadUserInput. */
  ticket(
    principal: Principal,
    session: { id: string },
    format: ExportFormat,
    given: EntryFilter,
    ttlSeconds: number,
  ): ExportTicket {
    const filter = JSON.stringify(withoutNulls(checkedFilter(given)))
    if (filter.length > FILTER_LENGTH) {
      const message = `must be at most ${FILTER_LENGTH} characters as JSON; it has ${filter.length}`
      throw new BadUserInput([{ path: ['filter'], code: 'TOO_LONG', message }])
    }
    return { sessionId: session.id, format, filter, ...this.#links.terms(principal, ttlSeconds) }
  }

  /** The query of the ticket's link. */
  sign(ticket: ExportTicket): LinkQuery {
    return this.#links.sign('export', partsOf(ticket), ticket)
  }

  /** The terms of a link; null: it is invalid. Throws StoreUnavailable if its validity is unknown. */
  read(subject: ExportSubject, given: GivenLinkQuery): Promise<LinkTerms | null> {
    return this.#links.read('export', partsOf(subject), given)
  }

  /** Calls back once when the link has ended; see SignedLinks.onEnd. */
  onEnd(terms: LinkTerms, listener: () => void): () => void {
    return this.#links.onEnd(terms, listener)
  }

  /**
   * The log up to its current end, for a valid link. `after`: a cursor, for the lines after it. Throws NotFound if the
   * session was deleted, or CursorInvalid.
   */
  async open({ sessionId, format, filter }: ExportSubject, after: string | null): Promise<OpenExport> {
    const session = await this.#source.store.findSession(sessionId)
    if (!session) throw new NotFound('session')
    const upTo = await this.#lastSequence(session)
    const from = after === null ? 0 : decodeEntryCursor(sessionId, after, 'after')
    if (from > upTo) throw new CursorInvalid('after')
    const wanted = { kinds: null, ...(JSON.parse(filter) as Partial<EntryFilter>) }
    const span: LogSpan = { sessionId, owner: session.owner, after: from, upTo, filter: wanted }
    return {
      session,
      cursor: encodeEntryCursor(sessionId, upTo),
      pieces: (signal) =>
        format === 'HAR' ? new Har(this.#source, span).pieces(signal) : ndjsonOf(this.#source, span, signal),
    }
  }

  async #lastSequence({ id, lastSequence }: SessionRecord): Promise<number> {
    const live = await this.#liveLog(id)
    const head = live && (await answerOr<{ lastSequence: number } | null>(live.logHead(), () => null))
    return head?.lastSequence ?? lastSequence
  }
}

const partsOf = ({ sessionId, format, filter }: ExportSubject) => [sessionId, format, filter]

/** Omits members without effect, for shorter links. */
function withoutNulls(filter: EntryFilter): object {
  const isThere = ([, value]: [string, unknown]) => value != null
  return Object.fromEntries(
    Object.entries(filter)
      .filter(isThere)
      .map(([name, value]) => [
        name,
        Array.isArray(value) ? value : Object.fromEntries(Object.entries(value as object).filter(isThere)),
      ]),
  )
}
