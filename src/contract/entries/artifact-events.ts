import { z } from 'zod'
import { pageId, safeInt } from './members.ts'

const ARTIFACT_KINDS = ['SCREENSHOT', 'PDF', 'VIDEO', 'TRACE', 'HAR', 'DOWNLOAD', 'UPLOAD'] as const
export type ArtifactKind = (typeof ARTIFACT_KINDS)[number]

export const ARTIFACT_FAILURE_CODES = [
  'QUOTA_EXCEEDED',
  'TEMPORARY_FOLDER_FULL',
  'STORAGE_FULL',
  'STORAGE_UNAVAILABLE',
  'INTERNAL',
] as const
export type ArtifactFailureCode = (typeof ARTIFACT_FAILURE_CODES)[number]

export const artifactCreated = z.object({
  artifactId: z.string(),
  kind: z.enum(ARTIFACT_KINDS),
  name: z.string(),
  contentType: z.string(),
  sizeBytes: safeInt,
  pageId,
})

/**
 * A recording was stopped early, or a file that the browser produced could not be saved. Downloads have their own
 * entry.
 */
export const artifactFailed = z.object({
  kind: z.enum(ARTIFACT_KINDS),
  name: z.string(),
  pageId,
  code: z.enum(ARTIFACT_FAILURE_CODES),
  message: z.string(),
  /** Stopped early: the part recorded so far is saved at the end, if possible. False: nothing is saved. */
  partial: z.boolean(),
})
