import { Deadline } from '../../async/deadline.ts'

export interface Check {
  /** Its message if it does not respond in time. */
  silence: string
  /** What is wrong, in words; null: nothing. A rejection means the same, with the message of the error. */
  problem(): Promise<string | null> | string | null
  /** Sessions can be started all the same, only not as well. */
  isMinor?: boolean
}

export interface ReadinessAnswer {
  ready: boolean
  /** Problems without which it would be ready. */
  missing: string[]
  /** Problems in spite of which it is ready. */
  degraded: string[]
}

/** Caches the result, so that a probe every second does not add load. */
const CACHED_MS = 1_000
const DEADLINE_MS = 1_500

/** Whether sessions can be started now, and if not, why. Responds within its deadline, even if a check hangs. */
export class Readiness {
  readonly #checks: readonly Check[]
  /** Pending checks: one that hangs is not started again. */
  readonly #open = new Map<Check, Promise<string | null>>()
  #cached: { at: number; problems: Promise<Pick<ReadinessAnswer, 'missing' | 'degraded'>> } | null = null

  constructor(checks: readonly Check[]) {
    this.#checks = checks
  }

  async ask(): Promise<ReadinessAnswer> {
    const now = performance.now()
    if (!this.#cached || now - this.#cached.at > CACHED_MS) this.#cached = { at: now, problems: this.#askAll() }
    const { missing, degraded } = await this.#cached.problems
    return { ready: missing.length === 0, missing, degraded }
  }

  async #askAll(): Promise<Pick<ReadinessAnswer, 'missing' | 'degraded'>> {
    const problems = await Promise.all(this.#checks.map((check) => this.#inTime(check)))
    const those = (isMinor: boolean) =>
      [
        ...new Set(
          problems.filter((problem, index) => problem !== null && (this.#checks[index]!.isMinor ?? false) === isMinor),
        ),
      ] as string[]
    return { missing: those(false), degraded: those(true) }
  }

  async #inTime(check: Check): Promise<string | null> {
    const answer = this.#open.get(check) ?? this.#begin(check)
    const reported = await Deadline.result(
      answer.then((problem) => ({ problem })),
      DEADLINE_MS,
    )
    return reported ? reported.problem : check.silence
  }

  #begin(check: Check): Promise<string | null> {
    const answer = (async () => check.problem())()
      .catch((error: unknown) => (error instanceof Error ? error.message : String(error)))
      .finally(() => this.#open.delete(check))
    this.#open.set(check, answer)
    return answer
  }
}
