import type { ActionErrorCode } from '../../../../ports/browser/action.ts'

/** A step failed for a reason that has a code. */
export class ActionFailure extends Error {
  readonly code: ActionErrorCode

  constructor(code: ActionErrorCode, message: string) {
    super(message)
    this.name = 'ActionFailure'
    this.code = code
  }
}
