/** A set-up that cannot go on. The message is one sentence for people, and says what to do. */
export class SetupFailed extends Error {
  /** @param {string} sentence */
  constructor(sentence) {
    super(sentence)
    this.name = 'SetupFailed'
  }
}

/**
 * Why a package manager or a download gave up, read from what it printed: their exit codes do not tell.
 * @param {string} output
 * @returns {'network' | 'space' | 'rights' | 'other'}
 */
export function classifyFailure(output) {
  if (/ENOSPC|no space left on device|enough free space/i.test(output)) return 'space'
  if (
    /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT|FETCH_ERROR|Temporary failure resolving|Could not resolve|Could not connect|Failed to fetch|Download failure/i.test(
      output,
    )
  ) {
    return 'network'
  }
  if (/EACCES|EPERM|EROFS|Permission denied|are you root|a password is required|must be run as root/i.test(output)) {
    return 'rights'
  }
  return 'other'
}
