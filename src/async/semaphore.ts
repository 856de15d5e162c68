/**
 * A number of permits, given out first come, first served. By hand: of those who wait each leaves when a signal of its own
 * is aborted, which p-limit and async-mutex have no way to say.
 */
export class Semaphore {
  #free: number
  readonly #waiting = new Set<() => void>()

  constructor(permits: number) {
    this.#free = permits
  }

  /** How many wait for a permit. */
  get waiting(): number {
    return this.#waiting.size
  }

  /**
   * Takes a permit: at once if one is free, else when it is its turn. Resolves with what gives it back, to be called once.
   * Rejects with the reason of the signal if that is aborted first, or was before.
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

  /** Does the work under a permit. */
  async run<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const release = await this.acquire(signal)
    try {
      return await work()
    } finally {
      release()
    }
  }

  /** Hands the permit on, so that nobody who comes now is before those who wait. */
  #release(): void {
    for (const next of this.#waiting) {
      this.#waiting.delete(next)
      return next()
    }
    this.#free += 1
  }
}
