import type { BrowserFile, EventSink, SavedFile, PageState } from '../../ports/browser/browser.ts'
import type { CapturedBody, SavedBody } from '../../ports/log/body.ts'
import type { SpaceReservation } from '../../ports/artifacts/space-reservation.ts'
import type { EntryDraft, MissReason, PendingRequest } from '../../ports/log/log-entry.ts'
import type { PendingRequests } from '../log/entries/pending-requests.ts'
import type { SessionLog } from '../log/writing/session-log.ts'
import { redactedEntry } from '../redaction/redacted-entry.ts'
import type { ArtifactRecorder } from './artifact-recorder.ts'
import type { BodyRecorder } from './body-recorder.ts'
import type { CurrentPage } from './current-page.ts'

interface SessionParts {
  log: Pick<SessionLog, 'append' | 'miss'>
  currentPage: Pick<CurrentPage, 'acted' | 'arrived' | 'shows'>
  pending: PendingRequests
  bodies: BodyRecorder
  files: Pick<ArtifactRecorder, 'saveFile' | 'reserveSpace'>
  /** Null if there are no pages. */
  firstPage(): PageState | null
  /** A published property of the session has changed. */
  touched(): void
  failed(error: unknown): void
}

/** Records the events of a session in its log and state, with secrets masked, until it is sealed. */
export class SessionEventSink implements EventSink {
  readonly #parts: SessionParts
  #isSealed = false

  constructor(parts: SessionParts) {
    this.#parts = parts
  }

  /** Ignores all later events. */
  seal(): void {
    this.#isSealed = true
  }

  /** With secrets masked, for entries that are appended otherwise. */
  redacted<Draft extends EntryDraft>(draft: Draft): Draft {
    return redactedEntry(draft, this.#parts.bodies.redaction)
  }

  record(given: EntryDraft): void {
    if (this.#isSealed) return
    const { pending, currentPage, log } = this.#parts
    const draft = this.redacted(given)
    if (draft.kind === 'NETWORK_REQUEST' && !pending.settled(draft.data.requestId)) return
    if (draft.kind === 'ACTION') currentPage.acted(draft.data, draft.at)
    log.append(draft)
  }

  missed(kind: EntryDraft['kind'], reason: MissReason, requestId?: number): void {
    const { pending, log } = this.#parts
    if (this.#isSealed || (requestId !== undefined && !pending.settled(requestId))) return
    log.miss(kind, reason)
  }

  requestStarted(request: PendingRequest): void {
    if (this.#isSealed) return
    const { pending, bodies, touched } = this.#parts
    pending.add({ ...request, url: bodies.redaction.url(request.url) })
    touched()
  }

  readonly requestProgressed: EventSink['requestProgressed'] = (progress) => {
    const { pending, bodies, touched } = this.#parts
    const { responseHeaders: headers } = progress
    const masked = { ...progress, responseHeaders: headers && bodies.redaction.headers(headers) }
    if (!this.#isSealed && pending.progressed(masked)) touched()
  }

  pagesChanged(): void {
    const { firstPage, currentPage, bodies } = this.#parts
    const page = firstPage()
    if (page && !this.#isSealed) currentPage.shows({ ...page, url: bodies.redaction.url(page.url) })
  }

  arrived(pageId: string): void {
    if (!this.#isSealed) this.#parts.currentPage.arrived(pageId)
  }

  failed(error: unknown): void {
    this.#parts.failed(error)
  }

  readonly saveFile = (file: BrowserFile): Promise<SavedFile> => this.#parts.files.saveFile(file)
  readonly saveBody = (body: CapturedBody): Promise<SavedBody> => this.#parts.bodies.save(body)
  readonly masked = (text: string): string => this.#parts.bodies.redaction.text(text)
  readonly expectSecret = (text: string): (() => void) => this.#parts.bodies.redaction.expectSecret(text)
  readonly reserveSpace = (): SpaceReservation => this.#parts.files.reserveSpace()
}
