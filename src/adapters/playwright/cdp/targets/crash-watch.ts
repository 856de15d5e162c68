import type { CdpConnection } from '../connection/cdp-connection.ts'
import type { CdpEvents } from '../protocol/cdp-events.ts'

/**
 * How long to wait for the reason, which the browser reports right after the crash; measured: in the same millisecond.
 */
const REASON_MS = 250

export type CrashReason = Pick<CdpEvents['Target.targetCrashed'], 'status' | 'errorCode'>

/**
 * Crashes of pages with their reasons: a page's own session reports the crash, and the session that discovers targets
 * reports how its process ended.
 */
export class CrashWatch {
  readonly #report: (targetId: string, reason: CrashReason | null) => void
  readonly #waiting = new Map<string, NodeJS.Timeout>()

  constructor(
    connection: Pick<CdpConnection, 'on' | 'onClose'>,
    report: (targetId: string, reason: CrashReason | null) => void,
  ) {
    this.#report = report
    connection.on('Target.targetCrashed', ({ targetId, status, errorCode }) =>
      this.#reportOnce(targetId, { status, errorCode }),
    )
    connection.onClose(() => {
      for (const targetId of this.#waiting.keys()) this.#reportOnce(targetId, null)
    })
  }

  crashed(targetId: string): void {
    if (this.#waiting.has(targetId)) return
    // A server that stood still reads what has arrived meanwhile first.
    const late = () => setImmediate(() => this.#reportOnce(targetId, null))
    this.#waiting.set(targetId, setTimeout(late, REASON_MS))
  }

  /** The page is gone: nothing more is reported about it. */
  gone(targetId: string): void {
    this.#reportOnce(targetId, null)
  }

  #reportOnce(targetId: string, reason: CrashReason | null): void {
    const timer = this.#waiting.get(targetId)
    if (timer === undefined) return
    clearTimeout(timer)
    this.#waiting.delete(targetId)
    this.#report(targetId, reason)
  }
}
