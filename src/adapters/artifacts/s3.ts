import {
  AbortMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  ListMultipartUploadsCommand,
  paginateListObjectsV2,
  S3Client,
} from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { addAbortSignal, type Readable } from 'node:stream'
import type { ArtifactsConfig } from '../../config.ts'
import type { Logger } from '../../logger.ts'
import type { ArtifactStore } from '../../ports/artifacts/artifact-store.ts'
import { asStorageError } from './s3-errors.ts'
import { uploadObject } from './s3-upload.ts'

export type S3Config = Extract<ArtifactsConfig, { kind: 's3' }>

const CONNECT_MS = 5000
/** Until the response headers: the time for the body is up to its reader. */
const ANSWER_MS = 60_000
const PING_MS = 5000
/** A download holds one connection for as long as its client takes. */
const MAX_SOCKETS = 500
const ABANDONED_AFTER_MS = 24 * 60 * 60 * 1000

/** The keys that this program creates, below the prefix. */
const OWN_KEY = /^([0-9a-f-]{36}\/[0-9a-f-]{36}|bodies\/[0-9a-f]{32}\/[0-9a-f-]{77})$/

/**
 * Artifacts as objects of a bucket, of AWS or an S3-compatible server. Rejects with StorageUnavailable if the bucket
 * cannot be used.
 */
export async function openS3ArtifactStore(config: S3Config, logger: Logger): Promise<ArtifactStore> {
  const { bucket, prefix } = config
  const client = createClient(config)
  const keyOf = (key: string) => `${prefix}${key}`

  const presign: ArtifactStore['presign'] = (key, { contentType, contentDisposition, ttlSeconds }) =>
    getSignedUrl(
      client,
      new GetObjectCommand({
        Bucket: bucket,
        Key: keyOf(key),
        ResponseContentType: contentType,
        ResponseContentDisposition: contentDisposition,
      }),
      { expiresIn: ttlSeconds },
    )

  const ping = async (): Promise<void> => {
    const abortSignal = AbortSignal.timeout(PING_MS)
    await ask(() => client.send(new HeadBucketCommand({ Bucket: bucket }), { abortSignal }))
  }

  try {
    await ping()
  } catch (error) {
    client.destroy()
    throw error
  }
  // The bucket may be part of the host or of the path: only the presigner knows.
  const sample = await presign('origin', { contentType: 'text/plain', contentDisposition: 'inline', ttlSeconds: 60 })
  const { origin } = new URL(sample!)

  // Incomplete uploads of a process that crashed: they are billed but invisible.
  await giveUpAbandoned(client, bucket, prefix).catch((error: unknown) => {
    logger.warn({ err: error }, 'incomplete uploads to the bucket could not be listed')
  })

  return {
    write: (key, content, { contentType, maxBytes }, signal) =>
      uploadObject({ client, bucket, key: keyOf(key), contentType }, content, maxBytes, signal),

    async read(key, range, signal) {
      const asked = range ? { Range: `bytes=${range.start}-${range.end}` } : {}
      const command = new GetObjectCommand({ Bucket: bucket, Key: keyOf(key), ...asked })
      const { Body } = await ask(() => client.send(command, { abortSignal: signal }), signal)
      return addAbortSignal(signal, Body as Readable)
    },

    async remove(key) {
      await ask(() => client.send(new DeleteObjectCommand({ Bucket: bucket, Key: keyOf(key) })))
    },

    async *list(below) {
      const pages = paginateListObjectsV2({ client }, { Bucket: bucket, Prefix: keyOf(below) })
      for (;;) {
        const { done, value: page } = await ask(() => pages.next())
        if (done) return
        for (const { Key, LastModified } of page.Contents ?? []) {
          if (Key) yield { key: Key.slice(prefix.length), writtenAt: LastModified?.getTime() ?? Date.now() }
        }
      }
    },

    presign,

    origin,

    ping,

    describe: () =>
      `bucket ${bucket}${prefix ? `, below ${prefix},` : ''} at ${config.endpoint ?? `AWS ${config.region}`}`,

    close: async () => client.destroy(),
  }
}

function createClient({ endpoint, region, credentials, pathStyle }: S3Config): S3Client {
  const agent = { keepAlive: true, maxSockets: MAX_SOCKETS }
  return new S3Client({
    region,
    forcePathStyle: pathStyle,
    maxAttempts: 3,
    // S3-compatible servers often do not support checksums in trailers, and no request here requires them.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      connectionTimeout: CONNECT_MS,
      requestTimeout: ANSWER_MS,
      throwOnRequestTimeout: true,
      httpAgent: agent,
      httpsAgent: agent,
    },
    ...(endpoint ? { endpoint } : {}),
    ...(credentials ? { credentials } : {}),
  })
}

async function ask<T>(request: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  try {
    return await request()
  } catch (error) {
    throw asStorageError(error, signal)
  }
}

async function giveUpAbandoned(client: S3Client, bucket: string, prefix: string): Promise<void> {
  const started = Date.now() - ABANDONED_AFTER_MS
  const at = { Bucket: bucket, ...(prefix ? { Prefix: prefix } : {}) }
  for (let after = {}, more = true; more;) {
    const page = await client.send(new ListMultipartUploadsCommand({ ...at, ...after }))
    for (const { Key, UploadId, Initiated } of page.Uploads ?? []) {
      // The bucket may be shared.
      const isOurs = Key !== undefined && OWN_KEY.test(Key.slice(prefix.length))
      if (!isOurs || !UploadId || !Initiated || Initiated.getTime() > started) continue
      await client.send(new AbortMultipartUploadCommand({ Bucket: bucket, Key, UploadId }))
    }
    more = page.IsTruncated === true && page.NextKeyMarker !== undefined
    after = { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker }
  }
}
