import { followLogError, type FollowLogError } from './follow-log-error.ts'
import type { LogClient, LogResult } from './log-client.ts'
import type { LogOperation } from './log-document.ts'
import { retryDelay, type RetryDelays } from './retry-delay.ts'

/** Called before each retry. */
export interface LogRetry {
  /** Why the subscription ended. */
  readonly error: FollowLogError
  /**
   * The number of consecutive retries, counted from 1. Reset when the cursor advances, and by a subscription that has
   * delivered a batch and lasted longer than `maxDelayMs`.
   */
  readonly attempt: number
  /**
   * The delay before the retry. Delays grow until a subscription has delivered a batch and lasted longer than
   * `maxDelayMs`.
   */
  readonly delayMs: number
}

export interface ReaderOptions extends RetryDelays {
  readonly signal?: AbortSignal | undefined
  readonly maxBufferedBatches: number
  readonly maxRetries: number
  readonly onRetry?: ((retry: LogRetry) => void) | undefined
}

interface Batch {
  readonly cursor: string
  readonly entries?: readonly unknown[]
}

interface Waiting {
  resolve(result: IteratorResult<never, undefined>): void
  reject(error: unknown): void
}

const DONE = { done: true, value: undefined } as const

/**
 * The batches of one log. Subscribes when the first is requested, and again at the cursor whenever the subscription
 * breaks. A few batches are buffered for a slow reader: beyond that the subscription is ended, and resumed once they
 * are read.
 */
export class LogReader<Result> implements AsyncIterableIterator<Result, undefined> {
  readonly #client: LogClient
  readonly #operation: LogOperation
  readonly #variables: Record<string, unknown>
  readonly #options: ReaderOptions
  readonly #batches: Batch[] = []
  readonly #waiting: Waiting[] = []
  #state: 'new' | 'subscribed' | 'full' | 'pausing' | 'over' = 'new'
  /** Thrown after everything that was received has been read. */
  #failure: { error: unknown } | null = null
  #cursor: unknown
  /** Of the entries so far, if they have one. */
  #sequence = 0
  /** Consecutive tries that did not advance the cursor. */
  #attempts = 0
  /**
   * Delays since the last stable subscription. One that breaks right after each batch makes progress, but is not
   * stable.
   */
  #pauses = 0
  /** When the latest try began; a subscription that is resumed for a slow reader belongs to the previous try. */
  #triedAt = 0
  /** Whether the latest try has delivered a batch. */
  #hasBatch = false
  /** Late messages of an earlier subscription are ignored. */
  #subscription = 0
  #unsubscribe: (() => void) | null = null
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(client: LogClient, operation: LogOperation, variables: object, options: ReaderOptions) {
    this.#client = client
    this.#operation = operation
    this.#variables = { ...variables }
    this.#cursor = this.#variables[operation.cursorVariable]
    this.#options = options
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async next(): Promise<IteratorResult<Result, undefined>> {
    if (this.#state === 'new') this.#begin()
    const batch = this.#batches.shift()
    if (batch) {
      if (this.#state === 'full' && this.#batches.length <= this.#options.maxBufferedBatches / 2) this.#subscribe()
      return { done: false, value: batch as Result }
    }
    if (this.#state !== 'over') return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }))
    const failure = this.#failure
    this.#failure = null
    if (failure) throw failure.error
    return DONE
  }

  async return(): Promise<IteratorResult<Result, undefined>> {
    this.#batches.length = 0
    this.#finish(null)
    return DONE
  }

  #begin(): void {
    const { signal } = this.#options
    if (signal?.aborted) return this.#stop()
    signal?.addEventListener('abort', this.#stop)
    this.#try()
  }

  readonly #stop = () => {
    this.#batches.length = 0
    this.#finish({ error: this.#options.signal?.reason })
  }

  #try(): void {
    this.#triedAt = performance.now()
    this.#hasBatch = false
    this.#subscribe()
  }

  #subscribe(): void {
    this.#state = 'subscribed'
    const own = (this.#subscription += 1)
    const isOwn = () => this.#subscription === own
    try {
      const unsubscribe = this.#client.subscribe(
        { query: this.#operation.query, variables: this.#variablesAtCursor() },
        {
          next: (result) => {
            if (isOwn()) this.#take(result)
          },
          error: (cause) => {
            if (isOwn()) this.#retry(followLogError(cause))
          },
          complete: () => {
            if (isOwn()) this.#finish(null)
          },
        },
      )
      if (isOwn()) this.#unsubscribe = unsubscribe
      else unsubscribe()
    } catch (error) {
      if (isOwn()) this.#retry(followLogError(error))
    }
  }

  /** A client with automatic reconnection sends the subscription again: at the current cursor. */
  #variablesAtCursor(): Record<string, unknown> {
    const variables = { ...this.#variables }
    const get = () => this.#cursor
    return Object.defineProperty(variables, this.#operation.cursorVariable, { enumerable: true, get })
  }

  #take({ data, errors }: LogResult): void {
    // A server that cannot resume reports it and completes: later entries would come after a gap.
    if (errors && errors.length > 0) return this.#retry(followLogError(errors))
    const batch = data?.[this.#operation.field] as Batch | null | undefined
    if (!batch) return this.#retry(followLogError(new Error('The server sent a result without data.')))
    if (typeof batch.cursor !== 'string') {
      return this.#finish({ error: new TypeError('The subscription must select `cursor`.') })
    }
    this.#hasBatch = true
    const fresh = this.#withoutRepeats(batch)
    if (!fresh) return
    if (batch.cursor !== this.#cursor) this.#attempts = 0
    this.#cursor = batch.cursor
    const waiting = this.#waiting.shift()
    if (waiting) return waiting.resolve({ done: false, value: fresh as never })
    this.#batches.push(fresh)
    if (this.#batches.length < this.#options.maxBufferedBatches) return
    this.#leave()
    this.#state = 'full'
  }

  /**
   * A client that reconnected by itself may still deliver messages of its previous connection. Entries that select
   * `sequence` reveal them. Null: there is nothing new in the batch.
   */
  #withoutRepeats(batch: Batch): Batch | null {
    const { entries } = batch
    if (!Array.isArray(entries) || entries.length === 0) return batch
    const fresh = entries.filter((entry) => !(sequenceOf(entry) <= this.#sequence))
    const last = sequenceOf(entries.at(-1))
    if (last > this.#sequence) this.#sequence = last
    if (fresh.length === entries.length) return batch
    return fresh.length === 0 ? null : { ...batch, entries: fresh }
  }

  #retry(error: FollowLogError): void {
    this.#leave()
    if (this.#hasBatch && performance.now() - this.#triedAt > this.#options.maxDelayMs) {
      this.#attempts = 0
      this.#pauses = 0
    }
    if (this.#attempts >= Math.min(error.maxRetries, this.#options.maxRetries)) return this.#finish({ error })
    this.#state = 'pausing'
    this.#attempts += 1
    this.#pauses += 1
    const delayMs = retryDelay(this.#pauses, this.#options, error.retryAfterSeconds)
    this.#timer = setTimeout(() => this.#try(), delayMs)
    try {
      this.#options.onRetry?.({ error, attempt: this.#attempts, delayMs })
    } catch (thrown) {
      this.#finish({ error: thrown })
    }
  }

  #leave(): void {
    const unsubscribe = this.#unsubscribe
    this.#subscription += 1
    this.#unsubscribe = null
    // Not while handling messages that arrived together: graphql-ws would count a subscription that is completed by
    // both sides twice, and then take the next one for completed when its connection closes.
    if (unsubscribe) queueMicrotask(unsubscribe)
  }

  #finish(failure: { error: unknown } | null): void {
    if (this.#state === 'over') return
    this.#state = 'over'
    clearTimeout(this.#timer)
    this.#options.signal?.removeEventListener('abort', this.#stop)
    this.#leave()
    this.#failure = failure
    for (const { resolve, reject } of this.#waiting.splice(0)) {
      if (this.#failure) reject(this.#failure.error)
      else resolve(DONE)
      this.#failure = null
    }
  }
}

function sequenceOf(entry: unknown): number {
  const sequence = typeof entry === 'object' && entry !== null && 'sequence' in entry ? entry.sequence : null
  return typeof sequence === 'number' ? sequence : Number.NaN
}
