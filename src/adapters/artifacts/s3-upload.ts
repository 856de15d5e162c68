import { createHash } from 'node:crypto'
import type { Readable } from 'node:stream'
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  PutObjectCommand,
  UploadPartCommand,
  type CompletedPart,
  type S3Client,
} from '@aws-sdk/client-s3'
import { ArtifactTooLarge, StorageFull, type WrittenArtifact } from '../../ports/artifacts/artifact-store.ts'
import { asStorageError } from './s3-errors.ts'

/** The minimum size of a part that is not the last in S3; some compatible servers require equal sizes. */
const PART_BYTES = 5 * 1024 * 1024
const MAX_PARTS = 10_000
/** Cleanup has a time limit of its own, since the caller may have left. */
const CLEAR_UP_MS = 15_000

export interface UploadTarget {
  client: S3Client
  bucket: string
  /** Including the prefix. */
  key: string
  contentType: string
}

/**
 * Streams into an object with two part-sized buffers, one being filled while the other is sent, for any total size:
 * measured, 200 MB take 18 MB of memory. A failed upload is aborted after its last part has arrived or failed, so that
 * no part is left behind. Anything shorter than a part is sent in one request.
 */
export async function uploadObject(
  target: UploadTarget,
  content: Readable,
  maxBytes: number,
  signal: AbortSignal,
): Promise<WrittenArtifact> {
  const upload = new Upload(target, signal)
  const stop = () => content.destroy()
  // It may fail before it is read; reading reports that, but an 'error' event without a listener would end the process.
  content.on('error', () => {})
  signal.addEventListener('abort', stop)
  try {
    signal.throwIfAborted()
    const hash = createHash('sha256')
    let sizeBytes = 0
    for await (const chunk of content as AsyncIterable<Uint8Array | string>) {
      const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
      sizeBytes += bytes.length
      if (sizeBytes > maxBytes) throw new ArtifactTooLarge(`it has more than ${maxBytes} bytes`)
      hash.update(bytes)
      await upload.take(bytes)
    }
    signal.throwIfAborted()
    await upload.finish()
    signal.throwIfAborted()
    return { sizeBytes, sha256: hash.digest('hex') }
  } catch (error) {
    content.destroy()
    await upload.undo()
    // Destroying the source makes it emit an error; the original reason counts.
    throw signal.aborted ? signal.reason : error
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

/** One upload in progress. Throws errors of the port. */
class Upload {
  readonly #target: UploadTarget
  readonly #parts: CompletedPart[] = []
  /** Aborts pending requests when the upload fails for a reason other than the caller's signal. */
  readonly #stop = new AbortController()
  readonly #signal: AbortSignal
  #uploadId: string | null = null
  #filling = Buffer.allocUnsafeSlow(PART_BYTES)
  #filled = 0
  #spare: Buffer<ArrayBuffer> | null = null
  #sending: Promise<void> | null = null
  /** The object may exist by now. */
  #isMade = false

  constructor(target: UploadTarget, signal: AbortSignal) {
    this.#target = target
    this.#signal = AbortSignal.any([signal, this.#stop.signal])
  }

  async take(bytes: Uint8Array): Promise<void> {
    for (let taken = 0; taken < bytes.length;) {
      if (this.#filled === PART_BYTES) await this.#sendPart()
      const piece = bytes.subarray(taken, taken + PART_BYTES - this.#filled)
      this.#filling.set(piece, this.#filled)
      this.#filled += piece.length
      taken += piece.length
    }
  }

  async finish(): Promise<void> {
    if (this.#uploadId === null) return this.#putWhole()
    if (this.#filled > 0) await this.#sendPart()
    await this.#sending
    const { bucket, key, client } = this.#target
    this.#isMade = true
    await this.#ask(() =>
      client.send(
        new CompleteMultipartUploadCommand({
          Bucket: bucket,
          Key: key,
          UploadId: this.#uploadId!,
          MultipartUpload: { Parts: this.#parts },
        }),
        { abortSignal: this.#signal },
      ),
    )
  }

  /** Removes parts and object, as far as the server can be reached. */
  async undo(): Promise<void> {
    this.#stop.abort()
    // A part that arrives after the abort would remain forever.
    await this.#sending?.catch(() => undefined)
    const { bucket, key, client } = this.#target
    const at = { Bucket: bucket, Key: key }
    const inTime = () => ({ abortSignal: AbortSignal.timeout(CLEAR_UP_MS) })
    const steps: Promise<unknown>[] = []
    if (this.#uploadId !== null) {
      steps.push(client.send(new AbortMultipartUploadCommand({ ...at, UploadId: this.#uploadId }), inTime()))
    }
    if (this.#isMade) steps.push(client.send(new DeleteObjectCommand(at), inTime()))
    // Anything that cannot be removed now is found by the sweep of objects, or of uploads at the next start.
    await Promise.allSettled(steps)
  }

  async #putWhole(): Promise<void> {
    const { bucket, key, contentType, client } = this.#target
    const body = this.#filling.subarray(0, this.#filled)
    this.#isMade = true
    await this.#ask(() =>
      client.send(
        new PutObjectCommand({
          Bucket: bucket,
          Key: key,
          ContentType: contentType,
          Body: body,
          ContentLength: body.length,
        }),
        { abortSignal: this.#signal },
      ),
    )
  }

  /** Starts to send the full buffer once the previous one has been sent, and returns an empty one. */
  async #sendPart(): Promise<void> {
    const { bucket, key, contentType, client } = this.#target
    if (this.#uploadId === null) {
      const create = new CreateMultipartUploadCommand({ Bucket: bucket, Key: key, ContentType: contentType })
      const { UploadId } = await this.#ask(() => client.send(create, { abortSignal: this.#signal }))
      this.#uploadId = UploadId!
    }
    await this.#sending
    const number = this.#parts.length + 1
    if (number > MAX_PARTS) throw new StorageFull('an object has at most 10,000 parts')
    const full = this.#filling
    const body = full.subarray(0, this.#filled)
    this.#filling = this.#spare ?? Buffer.allocUnsafeSlow(PART_BYTES)
    this.#spare = null
    this.#filled = 0
    this.#sending = this.#send(number, body).then(() => {
      this.#spare = full
    })
    // Its rejection is handled when it is awaited later; until then it must not count as unhandled.
    this.#sending.catch(() => {})
  }

  async #send(number: number, body: Buffer): Promise<void> {
    const { bucket, key, client } = this.#target
    const { ETag } = await this.#ask(() =>
      client.send(
        new UploadPartCommand({
          Bucket: bucket,
          Key: key,
          UploadId: this.#uploadId!,
          PartNumber: number,
          Body: body,
          ContentLength: body.length,
        }),
        { abortSignal: this.#signal },
      ),
    )
    this.#parts[number - 1] = { PartNumber: number, ETag }
  }

  async #ask<T>(request: () => Promise<T>): Promise<T> {
    try {
      return await request()
    } catch (error) {
      throw asStorageError(error, this.#signal)
    }
  }
}
