import { Worker } from 'node:worker_threads'
import type { EgressWorkerData, FromWorker, ToWorker, WorkerReport } from './worker-messages.ts'

export interface ThreadTiming {
  /** Ping interval. */
  pingMs: number
  /** After this many unanswered pings in a row the thread counts as hung. */
  missedPings: number
}

export const THREAD_TIMING: ThreadTiming = { pingMs: 2_000, missedPings: 8 }

/** A leak ends the thread, not the server. */
const HEAP_MB = 512

/** A worker thread that is terminated when it hangs. */
export class EgressThread {
  /** Resolves with the reason once it has ended, for any cause. */
  readonly ended: Promise<string>
  readonly #worker: Worker
  readonly #watch: NodeJS.Timeout
  #unanswered = 0
  #reason = 'it ended'

  constructor(workerData: EgressWorkerData, timing: ThreadTiming, onMessage: (message: WorkerReport) => void) {
    // The file is beside this one, as .ts in the sources and as .js in the bundle.
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
    this.#worker = new Worker(new URL(`./egress-worker.${extension}`, import.meta.url), {
      workerData,
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
    })
    this.#worker.on('error', (error) => {
      this.#reason = error.message
    })
    this.#worker.on('message', (message: FromWorker) => {
      this.#unanswered = 0
      if (message.kind === 'handled?') this.post({ kind: 'handled', number: message.number })
      else onMessage(message)
    })
    // Counts ticks, not time: while the server itself is stopped, no ping is missed.
    this.#watch = setInterval(() => this.#ping(timing.missedPings), timing.pingMs)
    const { promise, resolve } = Promise.withResolvers<string>()
    this.ended = promise
    this.#worker.once('exit', () => {
      clearInterval(this.#watch)
      resolve(this.#reason)
    })
  }

  post(message: ToWorker): void {
    this.#worker.postMessage(message)
  }

  async terminate(reason: string): Promise<void> {
    this.#reason = reason
    await this.#worker.terminate()
    await this.ended
  }

  #ping(maxMissed: number): void {
    if (this.#unanswered >= maxMissed) {
      clearInterval(this.#watch)
      void this.terminate('it stood still')
      return
    }
    this.#unanswered += 1
    this.post({ kind: 'ping' })
  }
}
