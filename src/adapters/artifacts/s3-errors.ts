import { S3ServiceException } from '@aws-sdk/client-s3'
import { ArtifactMissing, StorageFull, StorageUnavailable } from '../../ports/artifacts/artifact-store.ts'

/** Error codes of S3 and compatible servers without space; 507 is the corresponding HTTP status. */
const FULL: ReadonlySet<string> = new Set([
  'InsufficientStorage',
  'QuotaExceeded',
  'StorageFull',
  'XMinioAdminBucketQuotaExceeded',
  'XMinioStorageFull',
])

const MISSING: ReadonlySet<string> = new Set(['NoSuchKey', 'NotFound'])

/** Maps errors of the SDK to those of the port; the signal's reason if the signal caused them. */
export function asStorageError(error: unknown, signal?: AbortSignal): unknown {
  if (signal?.aborted) return signal.reason
  const because = { cause: error }
  if (error instanceof S3ServiceException) {
    if (MISSING.has(error.name)) return new ArtifactMissing('there is no such object', because)
    const status = error.$metadata.httpStatusCode
    if (FULL.has(error.name) || status === 507) return new StorageFull('the object store is full', because)
    return new StorageUnavailable(`the object store answered ${status ?? 'nothing'}: ${error.name}`, because)
  }
  const reason = error instanceof Error ? error.message || error.name : String(error)
  return new StorageUnavailable(`the object store cannot be reached: ${reason}`, because)
}
