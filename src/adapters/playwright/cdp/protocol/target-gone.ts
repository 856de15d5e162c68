/** The target of a command ended without an answer. */
export class TargetGone extends Error {
  constructor() {
    super('the target is gone')
  }
}
