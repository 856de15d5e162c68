/** The target of a command ended before it responded. */
export class TargetGone extends Error {
  constructor() {
    super('the target is gone')
  }
}
