import { createHash, randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { LRUCache } from 'lru-cache'
import type { Logger } from 'pino'
import { Deadline } from '../../async/deadline.ts'
import { Semaphore } from '../../async/semaphore.ts'
import type { BodyData } from '../../contract/entries/body.ts'
import { ArtifactMissing, StorageFull, type ArtifactStore } from '../../ports/artifacts/artifact-store.ts'
import type { SavedBody, StoredBody } from '../../ports/log/body.ts'
import { StoreFull } from '../../ports/store/store-errors.ts'
import type { Store } from '../../ports/store/store.ts'
import { insertWithRetry } from '../kernel/insert-retry.ts'
import type { BodyCipher } from './body-cipher.ts'
import { BODIES_FOLDER, bodyKey, ownerHashOf } from './body-key.ts'

/** Max size of a body that is part of its entry: one append, and no file. */
export const INLINE_BYTES = 16 * 1024
/**
 * Max bytes of all sessions' bodies waiting to be stored: a page that exceeds the speed of the store loses some (LATE).
 */
const WAITING_BYTES = 64 * 1024 * 1024
/** Writing a file mostly waits for the disk: a few at once keep it busy. */
const WRITERS = 8
const READERS = 8
/**
 * Per body. An entry waits for a shorter time; the body is stored all the same, for the next entry with the same one.
 */
const STORE_MS = 10_000
const READ_MS = 15_000
/** A body without references is kept for this long, since another server may be about to refer to it. */
const UNUSED_MS = 60 * 60 * 1000
/** Bytes may be older than their row by the time of its commit. */
const ABANDONED_MS = 60 * 60 * 1000
const SWEEP_STEP = 500
const REMEMBERED = 10_000

/** A body that is ready to be stored: its secrets are masked. */
export interface NewBody {
  bytes: Uint8Array
  contentType: string | null
  sizeBytes: number
  /** Bytes cut from its end. */
  truncated: number
  isText: boolean
}

/** The owner and session of a body. */
interface Whose {
  /** Of the session. */
  id: string
  owner: string
}

export interface BodiesOptions {
  store: Store
  bytes: ArtifactStore
  cipher: BodyCipher
  /** Max bytes of one owner's artifacts and bodies together. */
  quotaBytes: number
  logger: Logger
  /** Bytes that can still be written to the store. */
  free?: (() => Promise<number>) | undefined
}

/**
 * Stores the bodies of requests and responses, each once per owner, and finds them again. Other owners' bodies do not
 * exist.
 */
export class Bodies {
  readonly #options: BodiesOptions
  readonly #stop = new AbortController()
  readonly #writers = new Semaphore(WRITERS)
  readonly #readers = new Semaphore(READERS)
  /** Pending writes by owner and hash: of several identical bodies one is written. */
  readonly #storing = new Map<string, Promise<unknown>>()
  /** Recent references of sessions to bodies: they exist at least as long as the sessions are live. */
  readonly #referred = new LRUCache<string, true>({ max: REMEMBERED })
  readonly #working = new Set<Promise<unknown>>()
  #waitingBytes = 0

  constructor(options: BodiesOptions) {
    this.#options = options
  }

  /**
   * Resolves when it is durable, or can only be recorded as missing: small bodies are stored with the entry itself.
   * Rejects for an internal error only.
   */
  async save(session: Whose, body: NewBody): Promise<SavedBody> {
    const inline = this.#inline(session.owner, body)
    if (inline) return { body: inline, omitted: null }
    if (this.#stop.signal.aborted || this.#waitingBytes + body.bytes.length > WAITING_BYTES) {
      return { body: null, omitted: 'LATE' }
    }
    this.#waitingBytes += body.bytes.length
    try {
      return await this.#store(session, body)
    } finally {
      this.#waitingBytes -= body.bytes.length
    }
  }

  /**
   * The bytes of an owner's body that is stored separately. Null: it does not exist, or cannot be decrypted or read,
   * which is logged. Rejects with the signal's reason, or StoreUnavailable.
   */
  async read(owner: string, sha256: string, signal: AbortSignal = NEVER): Promise<Buffer | null> {
    for (let isAgain = false; ; isAgain = true) {
      const [found] = await this.find(owner, [sha256])
      if (!found) return null
      const bytes = await this.open(found, signal)
      // Its bytes may have been replaced between the two queries.
      if (bytes || isAgain) return bytes
    }
  }

  /** The bytes of an entry's body, inline or stored separately. Null and rejections: as `read`. */
  async bytesOf(owner: string, body: BodyData, signal: AbortSignal = NEVER): Promise<Buffer | null> {
    if (body.inline === null) return body.sha256 === null ? null : this.read(owner, body.sha256, signal)
    return this.inlineBytes(owner, body)
  }

  /** The bytes of an inline body; null: it is not inline, or its encryption key is unknown. */
  inlineBytes(owner: string, { inline, encoding }: Pick<BodyData, 'inline' | 'encoding'>): Buffer | null {
    if (inline === null) return null
    if (encoding === 'UTF8') return Buffer.from(inline)
    const bytes = Buffer.from(inline, 'base64')
    return encoding === 'BASE64' ? bytes : this.#options.cipher.decrypt(owner, bytes)
  }

  /** Whether the encryption key of an inline body is known. */
  knowsInline({ inline, encoding }: Pick<BodyData, 'inline' | 'encoding'>): boolean {
    if (inline === null || encoding === 'UTF8' || encoding === 'BASE64') return true
    const head = Buffer.from(inline.slice(0, 64), 'base64')
    const { cipher } = this.#options
    const seal = cipher.sealOf(head)
    return seal !== null && cipher.knows(seal)
  }

  /** Those of the owner's stored bodies that exist and can be decrypted. Rejects with StoreUnavailable. */
  async find(owner: string, hashes: readonly string[]): Promise<StoredBody[]> {
    const { store, cipher } = this.#options
    if (hashes.length === 0) return []
    const found = await store.findBodies(owner, hashes)
    return found.filter(({ seal }) => cipher.knows(seal))
  }

  /** The bytes of a found body. Null: they are missing, or cannot be decrypted or read. */
  async open(stored: StoredBody, signal: AbortSignal): Promise<Buffer | null> {
    const { bytes, cipher, logger } = this.#options
    try {
      using deadline = new Deadline(READ_MS, [signal, this.#stop.signal])
      const content = await this.#readers.run(async () => buffer(await bytes.read(stored.key, null, deadline.signal)))
      return stored.seal === null ? content : cipher.decrypt(stored.owner, content)
    } catch (error) {
      if (signal.aborted) throw signal.reason
      if (!(error instanceof ArtifactMissing)) logger.warn({ err: error }, 'a body could not be read')
      return null
    }
  }

  /** Bytes of the owner's stored bodies. */
  usedBytes(owner: string): Promise<number> {
    return this.#options.store.sumBodyBytes(owner)
  }

  /** Deletes some bodies without references. False: there were none. */
  async deleteUnused(now: number): Promise<boolean> {
    const { store, bytes } = this.#options
    const keys = await store.deleteUnusedBodies(now - UNUSED_MS)
    // The rows are gone, and keys are never reused: remaining bytes are found by the sweep.
    for (const key of keys) await bytes.remove(key)
    return keys.length > 0
  }

  /**
   * Removes bytes without a row, left over from a server that crashed between writing the bytes and the row. Only for
   * owners that the store knows: with a wrong DATABASE_URL all bytes would appear to be orphaned.
   */
  async sweep(now: number, signal: AbortSignal): Promise<number> {
    let removed = 0
    let batch: string[] = []
    const finish = async () => {
      removed += await this.#removeUnknown(batch)
      batch = []
    }
    for await (const { key, writtenAt } of this.#options.bytes.list(BODIES_FOLDER)) {
      if (signal.aborted) return removed
      if (ownerHashOf(key) === null || writtenAt > now - ABANDONED_MS) continue
      batch.push(key)
      if (batch.length === SWEEP_STEP) await finish()
    }
    await finish()
    return removed
  }

  /** Aborts pending writes and reads, and waits until nothing of them is left behind. */
  async close(): Promise<void> {
    this.#stop.abort(new Error('the server is shutting down'))
    await Promise.allSettled(this.#working)
  }

  /** Closing waits for it, even if no one else does any more. */
  #own(work: Promise<unknown>): void {
    const settled = Promise.allSettled([work]).finally(() => this.#working.delete(settled))
    this.#working.add(settled)
  }

  #inline(owner: string, { bytes, contentType, sizeBytes, truncated, isText }: NewBody): BodyData | null {
    if (bytes.length > INLINE_BYTES) return null
    const { cipher } = this.#options
    const described = { contentType, sizeBytes, truncated, sha256: null }
    if (cipher.seal !== null) {
      const encoding = isText ? 'SEALED_UTF8' : 'SEALED_BASE64'
      return { ...described, encoding, inline: cipher.encrypt(owner, bytes).toString('base64') }
    }
    if (!isText) return { ...described, encoding: 'BASE64', inline: Buffer.from(bytes).toString('base64') }
    // PostgreSQL accepts no U+0000 in texts.
    if (bytes.includes(0)) return null
    return { ...described, encoding: 'UTF8', inline: Buffer.from(bytes).toString() }
  }

  async #store(session: Whose, body: NewBody): Promise<SavedBody> {
    const sha256 = createHash('sha256').update(body.bytes).digest('hex')
    const { contentType, sizeBytes, truncated, isText } = body
    const encoding = isText ? 'UTF8' : 'BASE64'
    const data = { contentType, sizeBytes, truncated, encoding, inline: null, sha256 } as const
    using deadline = new Deadline(STORE_MS, [this.#stop.signal])
    try {
      const storing = this.#storeOnce(session, sha256, body.bytes, deadline.signal)
      this.#own(storing)
      return (await deadline.race(storing)) ? { body: data, omitted: null } : { body: null, omitted: 'QUOTA' }
    } catch (error) {
      if (deadline.signal.aborted) return { body: null, omitted: 'LATE' }
      const isFull = error instanceof StorageFull || error instanceof StoreFull
      this.#options.logger.warn({ err: error, isFull }, 'a body could not be stored')
      return { body: null, omitted: 'STORE_FAILED' }
    }
  }

  /** Waits for a pending write of the same body, and then refers to it. False: it exceeds the quota. */
  async #storeOnce(session: Whose, sha256: string, bytes: Uint8Array, signal: AbortSignal): Promise<boolean> {
    const { seal } = this.#options.cipher
    const reference = JSON.stringify([session.id, sha256, seal])
    const name = JSON.stringify([session.owner, sha256])
    if (this.#referred.has(reference)) return true
    // Regardless of its result: the waiting caller queries the store.
    for (let other = this.#storing.get(name); other; other = this.#storing.get(name)) await Promise.allSettled([other])
    if (this.#referred.has(reference)) return true
    const storing = this.#writers.run(() => this.#storeNow(session, sha256, bytes, signal))
    this.#storing.set(name, storing)
    try {
      const isKept = await storing
      if (isKept) this.#referred.set(reference, true)
      return isKept
    } finally {
      this.#storing.delete(name)
    }
  }

  async #storeNow({ id, owner }: Whose, sha256: string, bytes: Uint8Array, signal: AbortSignal): Promise<boolean> {
    const { store, cipher, quotaBytes, free } = this.#options
    signal.throwIfAborted()
    const { seal } = cipher
    const now = Date.now()
    if (await store.referToBody(id, { owner, sha256, seal }, now)) return true
    if (free && (await free()) < bytes.length) throw new StorageFull('there is no room for a body')
    const key = bodyKey(owner, sha256, randomBytes(6).toString('hex'))
    const written = seal === null ? bytes : cipher.encrypt(owner, bytes)
    const options = { contentType: 'application/octet-stream', maxBytes: written.length }
    await this.#options.bytes.write(key, Readable.from([written], { objectMode: false }), options, signal)
    const row = { owner, sha256, key, seal, sizeBytes: bytes.length, createdAt: now }
    const outcome = await insertWithRetry(() => store.insertBody(id, row, quotaBytes))
    // After a failure the row may exist all the same; bytes without a row are swept.
    if (outcome !== 'KEPT') await this.#removeQuietly(key)
    return outcome !== 'OVER_QUOTA'
  }

  async #removeQuietly(key: string): Promise<void> {
    await this.#options.bytes.remove(key).catch((error: unknown) => {
      this.#options.logger.warn({ err: error }, 'bytes of a body that was not kept are left to the sweep')
    })
  }

  async #removeUnknown(batch: readonly string[]): Promise<number> {
    if (batch.length === 0) return 0
    const { store, bytes } = this.#options
    const known = new Set(await store.findBodyKeys(batch))
    const unknown = batch.filter((key) => !known.has(key))
    const hashes = [...new Set(unknown.map((key) => ownerHashOf(key)!))]
    const owners = new Set(hashes.length === 0 ? [] : await store.findBodyOwners(hashes))
    const abandoned = unknown.filter((key) => owners.has(ownerHashOf(key)!))
    for (const key of abandoned) await bytes.remove(key)
    return abandoned.length
  }
}

const NEVER = new AbortController().signal
