import type { CapturedBody, SavedBody } from '../../../src/ports/log/body.ts'
import { buffer } from 'node:stream/consumers'
import type { BrowserFile, SavedFile, EventSink } from '../../../src/ports/browser/browser.ts'
import type {
  EntryData,
  EntryDraft,
  MissReason,
  PendingRequest,
  RequestProgress,
  SessionEventKind,
} from '../../../src/ports/log/log-entry.ts'

/** Stores all events. */
export class RecordingRecorder implements EventSink {
  readonly drafts: EntryDraft[] = []
  /** Kinds of entries that are missing because the browser's message was too large. */
  readonly missing: SessionEventKind[] = []
  /** Kinds of entries that are missing because they arrived too late. */
  readonly flood: SessionEventKind[] = []
  readonly inFlight = new Map<number, PendingRequest>()
  readonly files: (BrowserFile & { bytes: Buffer })[] = []
  /** Why it saves no files; null if it does. */
  refusal: string | null = null
  /** Maximum size of each file. */
  reservedBytes = Number.POSITIVE_INFINITY
  pagesChanges = 0
  /** Pages that show a document, one per arrival. */
  readonly arrivals: string[] = []
  readonly faults: unknown[] = []

  record(draft: EntryDraft): void {
    this.drafts.push(draft)
    if (draft.kind === 'NETWORK_REQUEST') this.inFlight.delete(draft.data.requestId)
  }

  requestStarted(request: PendingRequest): void {
    this.inFlight.set(request.requestId, request)
  }

  requestProgressed(progress: RequestProgress): void {
    const request = this.inFlight.get(progress.requestId)
    if (request) this.inFlight.set(progress.requestId, { ...request, ...progress })
  }

  async saveFile(file: BrowserFile): Promise<SavedFile> {
    const bytes = await buffer(await file.open())
    this.files.push({ ...file, bytes })
    return this.refusal === null
      ? { artifactId: `artifact-${this.files.length}`, failure: null }
      : { artifactId: null, failure: this.refusal }
  }

  missed(kind: SessionEventKind, reason: MissReason, requestId?: number): void {
    const kinds = reason === 'FLOOD' ? this.flood : this.missing
    kinds.push(kind)
    if (requestId !== undefined) this.inFlight.delete(requestId)
  }

  saveBody(captured: CapturedBody): Promise<SavedBody> {
    const { bytes, contentType, sizeBytes, isText } = captured
    const encoding = isText ? 'UTF8' : 'BASE64'
    const inline = Buffer.from(bytes).toString(isText ? 'utf8' : 'base64')
    const body = {
      contentType,
      sizeBytes,
      truncated: sizeBytes - bytes.length,
      encoding,
      inline,
      sha256: null,
    } as const
    return Promise.resolve({ body, omitted: null })
  }

  /** Texts typed where they may be secret, and not withdrawn. */
  readonly secrets: string[] = []

  expectSecret(text: string) {
    this.secrets.push(text)
    return () => void this.secrets.splice(this.secrets.indexOf(text), 1)
  }

  masked(text: string): string {
    return text
  }

  reserveSpace() {
    return { limit: this.reservedBytes, grow: (bytes: number) => bytes <= this.reservedBytes, release: () => {} }
  }

  failed(error: unknown): void {
    this.faults.push(error)
  }

  pagesChanged(): void {
    this.pagesChanges++
  }

  arrived(pageId: string): void {
    this.arrivals.push(pageId)
  }

  of<K extends SessionEventKind>(kind: K): EntryData[K][] {
    return this.drafts.filter((draft) => draft.kind === kind).map((draft) => draft.data as EntryData[K])
  }

  texts(): string[] {
    return this.of('CONSOLE_MESSAGE').map(({ text }) => text)
  }

  requestsTo(url: string): EntryData['NETWORK_REQUEST'][] {
    return this.requests(url).filter((request) => request.url === url)
  }

  /** Requests whose URL contains the text, in order of their start. */
  requests(part: string): EntryData['NETWORK_REQUEST'][] {
    return this.of('NETWORK_REQUEST')
      .filter(({ url }) => url.includes(part))
      .sort((one, other) => one.requestId - other.requestId)
  }
}
