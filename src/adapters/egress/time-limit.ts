import { timedOut } from './connection-failed.ts'

/** A signal that is aborted with TIMED_OUT after a time limit, or when the connection ends. */
export class TimeLimit implements Disposable {
  readonly signal: AbortSignal
  readonly #timer: NodeJS.Timeout

  constructor(ms: number, ended: AbortSignal) {
    const late = new AbortController()
    this.#timer = setTimeout(() => late.abort(timedOut()), ms)
    this.signal = AbortSignal.any([late.signal, ended])
  }

  /** Waits for the promise or the signal; the signal does not cancel the work. */
  async wait<T>(work: Promise<T>): Promise<T> {
    const { promise: given, reject } = Promise.withResolvers<never>()
    const onAbort = () => reject(this.signal.reason)
    this.signal.addEventListener('abort', onAbort)
    if (this.signal.aborted) onAbort()
    try {
      return await Promise.race([work, given])
    } finally {
      this.signal.removeEventListener('abort', onAbort)
    }
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
  }
}
