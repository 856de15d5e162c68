import { Deadline } from '../../async/deadline.ts'

export interface Check {
  /** Its message if it does not respond in time. */
  silence: string
  /** What is wrong, in words; null: nothing. A rejection means the same, with the message of the error. */
  problem(): Promise<string | null> | string | null
}

/** Caches the result, so that a probe every second does not add load. */
const CACHED_MS = 1_000
const DEADLINE_MS = 1_500

/** Whether sessions can be started now, and if not, why. Responds within its deadline, even if a check hangs. */
export class Readiness {
  readonly #checks: readonly Check[]
  /** Pending checks: one that hangs is not started again. */
  readonly #open = new Map<Check, Promise<string | null>>()
  #cached: { at: number; missing: Promise<string[]> } | null = null

  constructor(checks: readonly Check[]) {
    this.#checks = checks
  }

  async ask(): Promise<{ ready: boolean; missing: string[] }> {
    const now = performance.now()
    if (!this.#cached || now - this.#cached.at > CACHED_MS) this.#cached = { at: now, missing: this.#askAll() }
    const missing = await this.#cached.missing
    return { ready: missing.length === 0, missing }
  }

  async #askAll(): Promise<string[]> {
    const problems = await Promise.all(this.#checks.map((check) => this.#inTime(check)))
    return [...new Set(problems.filter((problem) => problem !== null))]
  }

  async #inTime(check: Check): Promise<string | null> {
    const answer = this.#open.get(check) ?? this.#begin(check)
    const told = await Deadline.result(
      answer.then((problem) => ({ problem })),
      DEADLINE_MS,
    )
    return told ? told.problem : check.silence
  }

  #begin(check: Check): Promise<string | null> {
    const answer = (async () => check.problem())()
      .catch((error: unknown) => (error instanceof Error ? error.message : String(error)))
      .finally(() => this.#open.delete(check))
    this.#open.set(check, answer)
    return answer
  }
}
