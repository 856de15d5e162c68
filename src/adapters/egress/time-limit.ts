import { timedOut } from './connection-failed.ts'

/** A signal that fires when the time is up, with TIMED_OUT for a reason, or when the work is given up altogether. */
export class TimeLimit implements Disposable {
  readonly signal: AbortSignal
  readonly #timer: NodeJS.Timeout

  constructor(ms: number, ended: AbortSignal) {
    const late = new AbortController()
    this.#timer = setTimeout(() => late.abort(timedOut()), ms)
    this.signal = AbortSignal.any([late.signal, ended])
  }

  /** Waits for the promise or the signal, which does not stop the work behind the promise. */
  async wait<T>(work: Promise<T>): Promise<T> {
    const { promise: given, reject } = Promise.withResolvers<never>()
    const onAbort = () => reject(this.signal.reason)
    this.signal.addEventListener('abort', onAbort)
    try {
      this.signal.throwIfAborted()
      return await Promise.race([work, given])
    } finally {
      this.signal.removeEventListener('abort', onAbort)
    }
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
  }
}
