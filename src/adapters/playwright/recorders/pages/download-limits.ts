/** Why we canceled a download: a stable text, and a sentence. */
export interface Cancellation {
  failure: 'quota exceeded' | 'temporary folder full' | `BLOCKED (${string})`
  why: string
}

/**
 * A download may exceed the remaining quota by this much before it is canceled: a small one is complete before it could
 * be canceled, and is then rejected like any other file.
 */
export const GRACE_BYTES = 1024 * 1024

interface Limits {
  /** What is left of the owner's quota; negative if it is exceeded without the download. */
  quotaBytes: number
  /** What a session may have in the temporary folder. */
  folderBytes: number
}

/** Why a download of that size is canceled; null: it is not. `slack`: by how much its size may be underestimated. */
export function excessOf(bytes: number, { quotaBytes, folderBytes }: Limits, slack: number): Cancellation | null {
  if (bytes > quotaBytes + GRACE_BYTES) {
    const left = Math.max(0, quotaBytes)
    const why = `The artifacts of this owner would take more than their quota: ${left} bytes were left for this download. Delete some.`
    return { failure: 'quota exceeded', why }
  }
  if (bytes + slack <= folderBytes) return null
  const why = `A session may have ${folderBytes} bytes in the temporary folder, half of TABWIRE_TEMP_LIMIT_MB.`
  return { failure: 'temporary folder full', why }
}
