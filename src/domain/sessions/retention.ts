import { setTimeout as pause } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Store } from '../../ports/store.ts'
import type { Artifacts } from '../artifacts/artifacts.ts'

const DAY_MS = 24 * 60 * 60 * 1000
const ROUND_MS = 60 * 60 * 1000
/** Looking through all bytes that are kept takes a while, and finds something only where a server died. */
const SWEEP_EVERY_MS = DAY_MS
/** Other servers' clocks may be behind ours. */
const CLAIMS_KEPT_MS = ROUND_MS
/** Between two small steps everyone else gets a turn at the database (guarantee 11). */
const STEP_PAUSE_MS = 50

/**
 * Deletes sessions that ended longer ago than the retention, their artifacts first, in small steps, now and once an
 * hour; once a day the bytes of artifacts that no row tells of. What has expired goes as well: sign-in keys, upload claims.
 */
export class Retention {
  readonly #store: Store
  readonly #artifacts: Pick<Artifacts, 'deleteEndedBefore' | 'sweep'>
  readonly #days: number
  readonly #logger: Logger
  readonly #stop = new AbortController()
  #running: Promise<void> = Promise.resolve()
  #sweptAt = 0

  /** days 0: sessions are kept for ever; what has expired is deleted all the same. */
  constructor(store: Store, artifacts: Pick<Artifacts, 'deleteEndedBefore' | 'sweep'>, days: number, logger: Logger) {
    this.#store = store
    this.#artifacts = artifacts
    this.#days = days
    this.#logger = logger
  }

  start(): void {
    this.#running = this.#rounds()
  }

  /** Deletes all that is due now. */
  async sweep(now: number): Promise<void> {
    await this.#store.deleteExpiredApiKeys(now)
    while (!this.#stop.signal.aborted && (await this.#store.deleteUploadClaims(now - CLAIMS_KEPT_MS))) {
      await this.#pause(STEP_PAUSE_MS)
    }
    // A place for bytes that is away holds up no other deletion: sessions that still have artifacts just stay.
    await this.#tried('artifacts that no row tells of', () => this.#sweepArtifacts(now))
    if (this.#days === 0) return
    await this.#tried('old artifacts', async () => {
      while (!this.#stop.signal.aborted && (await this.#artifacts.deleteEndedBefore(now - this.#days * DAY_MS))) {
        await this.#pause(STEP_PAUSE_MS)
      }
    })
    while (!this.#stop.signal.aborted && (await this.#store.deleteEndedBefore(now - this.#days * DAY_MS))) {
      await this.#pause(STEP_PAUSE_MS)
    }
  }

  async close(): Promise<void> {
    this.#stop.abort()
    await this.#running
  }

  async #rounds(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      try {
        await this.sweep(Date.now())
      } catch (error) {
        this.#logger.error({ err: error }, 'old sessions could not be deleted; it is tried again in an hour')
      }
      await this.#pause(ROUND_MS)
    }
  }

  async #sweepArtifacts(now: number): Promise<void> {
    if (now - this.#sweptAt < SWEEP_EVERY_MS) return
    const removed = await this.#artifacts.sweep(now, this.#stop.signal)
    this.#sweptAt = now
    if (removed > 0) this.#logger.info({ removed }, 'bytes of artifacts that were never finished have been removed')
  }

  async #tried(what: string, work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      this.#logger.error({ err: error }, `${what} could not be deleted; it is tried again in an hour`)
    }
  }

  async #pause(ms: number): Promise<void> {
    // Rejects when aborted, which is just the end of the pause.
    await pause(ms, undefined, { signal: this.#stop.signal, ref: false }).catch(() => {})
  }
}
