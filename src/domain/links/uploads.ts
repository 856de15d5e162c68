import { Readable } from 'node:stream'
import type { Logger } from 'pino'
import { v7 as uuidv7 } from 'uuid'
import type { ArtifactRecord } from '../../ports/artifacts/artifact.ts'
import type { Store } from '../../ports/store/store.ts'
import { BadUserInput, NotFound, TabwireError, type InputIssue } from '../kernel/errors.ts'
import type { Artifacts } from '../artifacts/artifacts.ts'
import { fileNameOf, isContentType } from '../artifacts/file-name.ts'
import type { Principal } from '../kernel/principal.ts'
import type { SessionDirectory } from '../sessions/session-directory.ts'
import type { GivenUpload } from '../sessions/session-handle.ts'
import type { GivenLinkQuery, LinkQuery, LinkTerms, SignedLinks } from './signed-links.ts'

/** A file that a client uploads to a session. */
export interface UploadInput {
  name: string
  /** Null: application/octet-stream. */
  contentType?: string | null
}

/** The terms of an upload, from its link. */
export interface UploadSubject {
  /** UUIDs. */
  artifactId: string
  sessionId: string
  name: string
  contentType: string
}

export interface UploadTicket extends UploadSubject, LinkTerms {}

/** The rules in words, in one place, for the schema's descriptions. */
export const UPLOAD_RULES = {
  name: '1 to 1000 characters; a path and characters that file names cannot have are taken off.',
  contentType: 'A media type such as "text/csv; charset=utf-8", of at most 200 characters.',
} as const

const MAX_NAME = 1000
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?$/

/** The file of this upload is being received, or was received, even if it has been deleted since. */
class UploadTaken extends TabwireError {
  override readonly code = 'CONFLICT'

  constructor() {
    super('This upload link was used already, or is in use: create another one.')
  }
}

/** Receives files from clients: artifacts of the kind UPLOAD, also for a session that has ended. */
export class Uploads {
  readonly #store: Store
  readonly #sessions: Pick<SessionDirectory, 'handle'>
  readonly #artifacts: Artifacts
  readonly #links: SignedLinks
  readonly #machineId: string
  readonly #logger: Logger
  readonly #receiving = new Set<string>()

  constructor(
    store: Store,
    sessions: Pick<SessionDirectory, 'handle'>,
    artifacts: Artifacts,
    links: SignedLinks,
    machineId: string,
    logger: Logger,
  ) {
    this.#store = store
    this.#sessions = sessions
    this.#artifacts = artifacts
    this.#links = links
    this.#machineId = machineId
    this.#logger = logger
  }

  /** A small file in one piece. Throws BadUserInput, or as Artifacts.save does. */
  async save(
    session: { id: string; owner: string },
    input: UploadInput,
    base64: string,
    signal: AbortSignal,
  ): Promise<ArtifactRecord> {
    const issues: InputIssue[] = []
    const file = checked(input, issues)
    if (!BASE64.test(base64)) {
      issues.push({ path: ['base64'], code: 'INVALID_FORMAT', message: 'must be base64 without spaces' })
    }
    if (issues.length > 0) throw new BadUserInput(issues)
    const bytes = Buffer.from(base64, 'base64')
    const announcedBytes = bytes.length
    const upload = { ...file, id: uuidv7(), announcedBytes }
    return this.#save(session, upload, Readable.from([bytes]), signal)
  }

  /** Single-use permission to upload a file of any size within the quota. Throws BadUserInput. */
  ticket(principal: Principal, session: { id: string }, input: UploadInput, ttlSeconds: number): UploadTicket {
    const issues: InputIssue[] = []
    const file = checked(input, issues)
    if (issues.length > 0) throw new BadUserInput(issues)
    return { artifactId: uuidv7(), sessionId: session.id, ...file, ...this.#links.terms(principal, ttlSeconds) }
  }

  /** The query of the ticket's link. */
  sign(ticket: UploadTicket): LinkQuery {
    return this.#links.sign('upload', partsOf(ticket), ticket)
  }

  /** The terms of a ticket; null: it is invalid. Throws StoreUnavailable if its validity is unknown. */
  read(subject: UploadSubject, given: GivenLinkQuery): Promise<LinkTerms | null> {
    return this.#links.read('upload', partsOf(subject), given)
  }

  /** Calls back once when the ticket has become invalid; see SignedLinks.onEnd. */
  onEnd(terms: LinkTerms, listener: () => void): () => void {
    return this.#links.onEnd(terms, listener)
  }

  /** The owner of its session; null if the session does not exist (any more). */
  async ownerOf({ sessionId }: UploadSubject): Promise<string | null> {
    return (await this.#store.findSession(sessionId))?.owner ?? null
  }

  /**
   * Receives the file of a valid ticket. Throws UploadTaken before anything is read, NotFound if the session was
   * deleted, or as Artifacts.save does. After a failure the ticket can be used again.
   */
  async receive(
    subject: UploadSubject,
    { expiresAt }: LinkTerms,
    content: Readable,
    announcedBytes: number | null,
    signal: AbortSignal,
  ): Promise<ArtifactRecord> {
    const { artifactId } = subject
    if (this.#receiving.has(artifactId)) throw new UploadTaken()
    this.#receiving.add(artifactId)
    try {
      const isOurs = await this.#store.claimUpload({ artifactId, machineId: this.#machineId, expiresAt })
      if (!isOurs) throw new UploadTaken()
      try {
        return await this.#saveUpload(subject, content, announcedBytes, signal)
      } catch (error) {
        await this.#release(artifactId)
        throw error
      }
    } finally {
      this.#receiving.delete(artifactId)
    }
  }

  async #saveUpload(
    { artifactId, sessionId, name, contentType }: UploadSubject,
    content: Readable,
    announcedBytes: number | null,
    signal: AbortSignal,
  ): Promise<ArtifactRecord> {
    const session = await this.#store.findSession(sessionId)
    if (!session) throw new NotFound('session')
    return this.#save(session, { id: artifactId, name, contentType, announcedBytes }, content, signal)
  }

  /** An ended session gets the artifact, but no log entry. */
  async #save(
    { id: sessionId, owner }: { id: string; owner: string },
    upload: GivenUpload,
    content: Readable,
    signal: AbortSignal,
  ): Promise<ArtifactRecord> {
    const handle = await this.#sessions.handle(sessionId)
    if (handle) return handle.saveUpload(upload, content, signal)
    return this.#artifacts.save({ ...upload, sessionId, owner, kind: 'UPLOAD', pageId: null }, content, signal)
  }

  /** If this fails, the ticket can still be used with this server, which recognizes its own claim. */
  async #release(artifactId: string): Promise<void> {
    try {
      await this.#store.releaseUpload(artifactId)
    } catch (error) {
      this.#logger.warn({ err: error, artifactId }, 'the link of a failed upload could not be reset')
    }
  }
}

const partsOf = ({ artifactId, sessionId, name, contentType }: UploadSubject) => [
  artifactId,
  sessionId,
  name,
  contentType,
]

function checked({ name, contentType }: UploadInput, issues: InputIssue[]): { name: string; contentType: string } {
  if (name.length === 0 || name.length > MAX_NAME) {
    issues.push({ path: ['name'], code: 'TOO_LONG', message: `must have 1 to ${MAX_NAME} characters` })
  }
  if (contentType != null && !isContentType(contentType)) {
    const message = 'must be a media type such as "text/csv; charset=utf-8"'
    issues.push({ path: ['contentType'], code: 'INVALID_FORMAT', message })
  }
  return { name: fileNameOf(name), contentType: contentType ?? 'application/octet-stream' }
}
