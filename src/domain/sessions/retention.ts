import { setTimeout as pause } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { ForgottenTo, Store } from '../../ports/store/store.ts'
import type { Artifacts } from '../artifacts/artifacts.ts'
import type { Bodies } from '../bodies/bodies.ts'

const DAY_MS = 24 * 60 * 60 * 1000
const ROUND_MS = 60 * 60 * 1000
/** Scanning all stored bytes takes a while, and finds something only after a server has crashed. */
const SWEEP_EVERY_MS = DAY_MS
/** Clocks of other servers may be behind ours. */
const CLAIMS_KEPT_MS = ROUND_MS
/** A pause between two small steps lets others use the database (guarantee 11). */
const STEP_PAUSE_MS = 50

/** Retention periods, in days. */
export interface RetentionDays {
  /** 0: sessions are kept forever; expired items are deleted all the same. */
  sessions: number
  /** 0: as long as the session. */
  bodies: number
}

interface Kept {
  artifacts: Pick<Artifacts, 'deleteEndedBefore' | 'sweep'>
  bodies: Pick<Bodies, 'deleteUnused' | 'sweep'>
}

/**
 * Deletes sessions that ended longer ago than the retention, their artifacts first, in small steps, now and once an
 * hour; once a day also bytes without a row. Expired items are deleted as well: bodies of requests, sign-in keys,
 * upload claims.
 */
export class Retention {
  readonly #store: Store
  readonly #artifacts: Kept['artifacts']
  readonly #bodies: Kept['bodies']
  readonly #days: RetentionDays
  readonly #logger: Logger
  readonly #stop = new AbortController()
  #running: Promise<void> = Promise.resolve()
  #sweptAt = 0

  constructor(store: Store, { artifacts, bodies }: Kept, days: RetentionDays, logger: Logger) {
    this.#store = store
    this.#artifacts = artifacts
    this.#bodies = bodies
    this.#days = days
    this.#logger = logger
  }

  start(): void {
    this.#running = this.#rounds()
  }

  /** Deletes everything that is due now. */
  async sweep(now: number): Promise<void> {
    await this.#store.deleteExpiredApiKeys(now)
    await this.#inSteps(() => this.#store.deleteUploadClaims(now - CLAIMS_KEPT_MS))
    // An unavailable artifact store does not block other deletions: sessions that still have artifacts just stay.
    await this.#tried('bytes that no row tells of', () => this.#sweepBytes(now))
    await this.#tried('old bodies', () => this.#forgetBodies(now))
    if (this.#days.sessions > 0) await this.#deleteSessions(now - this.#days.sessions * DAY_MS)
    await this.#tried('unused bodies', () => this.#inSteps(() => this.#bodies.deleteUnused(now)))
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
        this.#logger.error({ err: error }, 'old sessions could not be deleted; retrying in an hour')
      }
      await this.#pause(ROUND_MS)
    }
  }

  async #deleteSessions(endedBefore: number): Promise<void> {
    await this.#tried('old artifacts', () => this.#inSteps(() => this.#artifacts.deleteEndedBefore(endedBefore)))
    await this.#inSteps(() => this.#store.deleteEndedBefore(endedBefore))
  }

  async #forgetBodies(now: number): Promise<void> {
    const { bodies } = this.#days
    if (bodies === 0) return
    let next: ForgottenTo | null = null
    await this.#inSteps(async () => {
      next = await this.#store.forgetBodies(now - bodies * DAY_MS, next)
      return next !== null
    })
  }

  async #sweepBytes(now: number): Promise<void> {
    if (now - this.#sweptAt < SWEEP_EVERY_MS) return
    const { signal } = this.#stop
    const removed = (await this.#artifacts.sweep(now, signal)) + (await this.#bodies.sweep(now, signal))
    this.#sweptAt = now
    if (removed > 0) this.#logger.info({ removed }, 'incomplete files were removed')
  }

  /** As long as a step reports that there may be more. */
  async #inSteps(step: () => Promise<boolean>): Promise<void> {
    while (!this.#stop.signal.aborted && (await step())) await this.#pause(STEP_PAUSE_MS)
  }

  async #tried(what: string, work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      this.#logger.error({ err: error }, `${what} could not be deleted; retrying in an hour`)
    }
  }

  async #pause(ms: number): Promise<void> {
    // Rejects when aborted, which just ends the pause.
    await pause(ms, undefined, { signal: this.#stop.signal, ref: false }).catch(() => {})
  }
}
