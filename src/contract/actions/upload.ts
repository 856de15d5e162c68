import { defineAction } from './action-kind.ts'
import { field } from '../input/input-field.ts'
import { target, timeoutMs } from './target.ts'

/** Maximum number of artifacts per step. */
export const UPLOADED_ARTIFACTS = 20

export const upload = defineAction(
  'UPLOAD',
  'UploadInput',
  'Puts files into a file input, or into the file chooser that clicking the element opens. Files are artifacts of the caller; the server’s own files are out of reach.',
  {
    target,
    artifactIds: field.requiredIds('Ids of artifacts, of whatever kind and session.', { max: UPLOADED_ARTIFACTS }),
    timeoutMs,
  },
)
