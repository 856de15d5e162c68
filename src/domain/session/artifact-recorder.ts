import type { Readable } from 'node:stream'
import type { Logger } from 'pino'
import type { ArtifactRecord } from '../../ports/artifacts/artifact.ts'
import type { BrowserFile, SavedFile } from '../../ports/browser/browser.ts'
import type { NamedUpload } from '../../ports/browser/cdp-client.ts'
import type { SpaceReservation } from '../../ports/artifacts/space-reservation.ts'
import { ARTIFACT_FAILURE_CODES, type EntryDraft } from '../../ports/log/log-entry.ts'
import type { Artifacts } from '../artifacts/artifacts.ts'
import { TabwireError } from '../kernel/errors.ts'

/** Name and description of a file; its bytes are passed separately. */
export type DescribedFile = Pick<ArtifactRecord, 'kind' | 'name' | 'contentType' | 'pageId'> & {
  /** Id of the artifact if it is known in advance, as for uploads. */
  id?: string
  /** Set if it is known in advance. */
  sizeBytes?: number
  /** See NewArtifact. */
  announcedBytes?: number | null
  /** Space that the file reserved while it was written. */
  reservation?: SpaceReservation
}

/** Saves the files of one session as artifacts, and logs them. */
export class ArtifactRecorder {
  readonly #session: { readonly id: string; readonly owner: string }
  readonly #artifacts: Artifacts
  readonly #record: (draft: EntryDraft) => void
  readonly #logger: Logger

  /** `record` ignores entries after the end: a later file is listed as an artifact, but not in the log. */
  constructor(
    session: { readonly id: string; readonly owner: string },
    artifacts: Artifacts,
    record: (draft: EntryDraft) => void,
    logger: Logger,
  ) {
    this.#session = session
    this.#artifacts = artifacts
    this.#record = record
    this.#logger = logger
  }

  /** Throws as Artifacts.save does. */
  async save(file: DescribedFile, content: Readable, signal: AbortSignal): Promise<ArtifactRecord> {
    const { kind, pageId } = file
    const { id: sessionId, owner } = this.#session
    const artifact = await this.#artifacts.save({ ...file, sessionId, owner }, content, signal)
    const { id: artifactId, sizeBytes, createdAt: at } = artifact
    const data = { artifactId, kind, name: artifact.name, contentType: artifact.contentType, sizeBytes, pageId }
    this.#record({ kind: 'ARTIFACT_CREATED', at, data })
    return artifact
  }

  /** Reserves space, out of the owner's remaining quota, for a file about to be written. */
  reserveSpace(): SpaceReservation {
    return this.#artifacts.reserveSpace(this.#session.owner)
  }

  /** The session's newest upload whose name is the last part of the path; null if there is none. */
  async uploadNamed(path: string): Promise<NamedUpload | null> {
    const found = await this.#artifacts.findNamed(this.#session.id, 'UPLOAD', path)
    if (!found) return null
    const { id: artifactId, name, contentType, sizeBytes } = found
    return { artifactId, name, contentType, sizeBytes, open: (signal) => this.#artifacts.open(found, null, signal) }
  }

  /** Saves a file that the browser created. Never rejects. */
  async saveFile(file: BrowserFile): Promise<SavedFile> {
    try {
      const content = await file.open()
      try {
        const { id } = await this.save(file, content, NEVER)
        return { artifactId: id, failure: null }
      } finally {
        // A stream rejected unread is still open.
        content.destroy()
      }
    } catch (error) {
      if (error instanceof TabwireError) {
        this.#logger.warn({ kind: file.kind, name: file.name, why: error.message }, 'a file was not kept')
        return this.#notSaved(file, error.code, error.message)
      }
      this.#logger.error({ err: error }, `a file could not be kept: ${file.kind}`)
      return this.#notSaved(file, 'INTERNAL', 'it could not be kept')
    } finally {
      file.reservation?.release()
    }
  }

  #notSaved({ kind, name, pageId }: BrowserFile, code: string, message: string): SavedFile {
    // A download has an entry of its own that reports it.
    if (kind !== 'DOWNLOAD') {
      const known = ARTIFACT_FAILURE_CODES.find((one) => one === code) ?? 'INTERNAL'
      const data = { kind, name, pageId, code: known, message, partial: false }
      this.#record({ kind: 'ARTIFACT_FAILED', at: Date.now(), data })
    }
    return { artifactId: null, failure: message }
  }
}

const NEVER = new AbortController().signal
