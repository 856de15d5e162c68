import type { Logger } from 'pino'
import { unowned } from '../../fault-owner.ts'
import { BadUserInput } from '../kernel/errors.ts'

/** Longest time for sessions to end by themselves: a day, the longest that a session lasts. */
export const MAX_DRAIN_SECONDS = 86_400

/** What takes no more work once the server drains. */
export interface Drained {
  sessions: { drain(): Promise<void> }
  machines: { drain(): void }
  browsers: { drain(): void }
}

/** From its begin on the server accepts no new sessions. It is over when those that it has have ended, or in time. */
export class Drain {
  readonly #machineId: string
  readonly #defaultSeconds: number
  readonly #drained: Drained
  readonly #logger: Logger
  readonly #over = Promise.withResolvers<void>()
  /** `until` on the clock of performance.now, which nobody corrects. */
  #end: { until: number; at: number } | null = null
  #timer: NodeJS.Timeout | null = null

  /** `defaultSeconds`: for requests that do not say how long; 0: they have to. */
  constructor(machineId: string, defaultSeconds: number, drained: Drained, logger: Logger) {
    this.#machineId = machineId
    this.#defaultSeconds = defaultSeconds
    this.#drained = drained
    this.#logger = logger
  }

  /** Resolves when the server must end. */
  get over(): Promise<void> {
    return this.#over.promise
  }

  /** For GET /ready. */
  get problem(): string | null {
    return this.#end === null ? null : 'the server is draining: it accepts no new sessions'
  }

  /** Returns when sessions that are still live are ended. Of several drains, the one that ends first counts. */
  begin(seconds: number): number {
    const ms = seconds * 1000
    const end = { until: performance.now() + ms, at: Date.now() + ms }
    if (this.#end === null) this.#start(seconds)
    if (this.#end !== null && this.#end.until <= end.until) return this.#end.at
    this.#end = end
    if (this.#timer) clearTimeout(this.#timer)
    this.#timer = unowned(() => setTimeout(() => this.#timeIsUp(seconds), ms))
    return end.at
  }

  /**
   * The same, by request. Throws BadUserInput: among several machines a request can reach another one than it is meant
   * for.
   */
  request(machineId: string, seconds: number | null): number {
    if (machineId !== this.#machineId) {
      const message = `is not ${this.#machineId}, the machine that responds: send the request to that machine itself`
      throw new BadUserInput([{ path: ['machineId'], code: 'FORBIDDEN_VALUE', message }])
    }
    const wanted = seconds ?? this.#defaultSeconds
    if (seconds === null && wanted === 0) {
      const message = 'is required where TABWIRE_DRAIN_SECONDS is not set'
      throw new BadUserInput([{ path: ['seconds'], code: 'REQUIRED', message }])
    }
    if (wanted < 0 || wanted > MAX_DRAIN_SECONDS) {
      const message = `must be a whole number from 0 to ${MAX_DRAIN_SECONDS}`
      throw new BadUserInput([{ path: ['seconds'], code: 'OUT_OF_RANGE', message }])
    }
    return this.begin(wanted)
  }

  close(): void {
    if (this.#timer) clearTimeout(this.#timer)
  }

  #start(seconds: number): void {
    const { sessions, machines, browsers } = this.#drained
    this.#logger.info({ seconds }, 'the server drains: it accepts no new sessions')
    machines.drain()
    browsers.drain()
    void unowned(() => sessions.drain()).then(() => this.#over.resolve())
  }

  #timeIsUp(seconds: number): void {
    this.#logger.warn({ seconds }, 'sessions are still live after the time for draining: they end now')
    this.#over.resolve()
  }
}
