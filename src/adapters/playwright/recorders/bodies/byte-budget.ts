interface Waiting {
  bytes: number
  begin(): void
}

/**
 * Limits the bytes and the number of concurrent tasks; others have to wait. A task that exceeds the whole budget runs
 * alone.
 */
export class ByteBudget {
  readonly #maxBytes: number
  readonly #maxCount: number
  readonly #waiting = new Set<Waiting>()
  #bytes = 0
  #count = 0

  constructor(maxBytes: number, maxCount: number) {
    this.#maxBytes = maxBytes
    this.#maxCount = maxCount
  }

  /**
   * Runs the task when there is room for that many bytes, which it occupies until it is done. `leave`: aborted when it
   * is no longer wanted.
   */
  async run<T>(bytes: number, leave: AbortSignal, work: () => Promise<T>): Promise<T> {
    if (!this.#hasSpaceFor(bytes) || this.#waiting.size > 0) await this.#turn(bytes, leave)
    else this.#take(bytes)
    try {
      return await work()
    } finally {
      this.#bytes -= bytes
      this.#count -= 1
      this.#beginNext()
    }
  }

  async #turn(bytes: number, leave: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const waiting: Waiting = { bytes, begin: resolve }
    const left = () => {
      this.#waiting.delete(waiting)
      reject(leave.reason as Error)
      this.#beginNext()
    }
    this.#waiting.add(waiting)
    leave.addEventListener('abort', left, { once: true })
    try {
      leave.throwIfAborted()
      await promise
    } finally {
      this.#waiting.delete(waiting)
      leave.removeEventListener('abort', left)
    }
  }

  #beginNext(): void {
    for (const waiting of this.#waiting) {
      if (!this.#hasSpaceFor(waiting.bytes)) return
      this.#waiting.delete(waiting)
      this.#take(waiting.bytes)
      waiting.begin()
    }
  }

  #take(bytes: number): void {
    this.#bytes += bytes
    this.#count += 1
  }

  #hasSpaceFor(bytes: number): boolean {
    return this.#count === 0 || (this.#count < this.#maxCount && this.#bytes + bytes <= this.#maxBytes)
  }
}
