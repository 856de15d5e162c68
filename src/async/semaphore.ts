/**
 * A number of permits, granted in order of arrival. Neither p-limit nor async-mutex is used: here each waiter can be
 * removed from the queue by its own signal.
 */
export class Semaphore {
  #free: number
  readonly #waiting = new Set<() => void>()

  constructor(permits: number) {
    this.#free = permits
  }

  /** Number of waiters. */
  get waiting(): number {
    return this.#waiting.size
  }

  /**
   * Acquires a permit: at once if one is free, else in turn. Resolves with the function that releases it, to be called
   * once. Rejects with the signal's reason if it is aborted first, or was already.
   */
  async acquire(signal?: AbortSignal): Promise<() => void> {
    signal?.throwIfAborted()
    if (this.#free > 0) {
      this.#free -= 1
      return () => this.#release()
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const leave = () => {
      this.#waiting.delete(resolve)
      reject(signal!.reason as Error)
    }
    this.#waiting.add(resolve)
    signal?.addEventListener('abort', leave, { once: true })
    try {
      await promise
    } finally {
      signal?.removeEventListener('abort', leave)
    }
    return () => this.#release()
  }

  /** Does the work while holding a permit. */
  async run<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const release = await this.acquire(signal)
    try {
      return await work()
    } finally {
      release()
    }
  }

  /** Passes the permit on directly, so that a newcomer cannot overtake the waiters. */
  #release(): void {
    for (const next of this.#waiting) {
      this.#waiting.delete(next)
      return next()
    }
    this.#free += 1
  }
}
