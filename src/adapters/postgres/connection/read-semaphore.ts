interface Waiting {
  reader: string
  start(): void
}

/**
 * Limits concurrent reads of the database; further ones wait here, not in the pool's queue. So an append waits for the
 * few running ones and never for a crowd of them (guarantee 11). Readers (the queries of an owner, its followers) take
 * turns, so that none waits for another's crowd, and a read whose client has left is removed from the queue at once.
 */
export class ReadSemaphore {
  #free: number
  /** The waiting reads of each reader, in order; the first reader is next. */
  readonly #queues = new Map<string, Set<Waiting>>()

  constructor(atOnce: number) {
    this.#free = atOnce
  }

  /** Rejects with the signal's reason if it is aborted before the read has begun; a running read is completed. */
  async take<T>(reader: string, read: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted()
    if (this.#free > 0) this.#free -= 1
    else await this.#wait(reader, signal)
    try {
      return await read()
    } finally {
      this.#letNext()
    }
  }

  #wait(reader: string, signal: AbortSignal | undefined): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const leave = () => {
      this.#remove(waiting)
      reject(signal!.reason as Error)
    }
    const waiting: Waiting = {
      reader,
      start: () => {
        signal?.removeEventListener('abort', leave)
        resolve()
      },
    }
    signal?.addEventListener('abort', leave, { once: true })
    const queue = this.#queues.get(reader)
    if (queue) queue.add(waiting)
    else this.#queues.set(reader, new Set([waiting]))
    return promise
  }

  #letNext(): void {
    const [next] = this.#queues.values().next().value ?? []
    if (!next) {
      this.#free += 1
      return
    }
    const queue = this.#remove(next)
    // Back of the queue of readers.
    if (queue.size > 0) {
      this.#queues.delete(next.reader)
      this.#queues.set(next.reader, queue)
    }
    next.start()
  }

  #remove(waiting: Waiting): Set<Waiting> {
    const queue = this.#queues.get(waiting.reader)!
    queue.delete(waiting)
    if (queue.size === 0) this.#queues.delete(waiting.reader)
    return queue
  }
}
