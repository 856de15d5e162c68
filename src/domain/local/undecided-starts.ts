import { setTimeout as pause } from 'node:timers/promises'
import type { Logger } from 'pino'
import { unowned } from '../../fault-owner.ts'
import type { LogEntry } from '../../ports/log-entry.ts'
import type { SessionRecord } from '../../ports/session-record.ts'
import type { Store } from '../../ports/store.ts'
import { isEnded } from '../kernel/session-state.ts'
import { StoreRetry } from '../log/store-retry.ts'

const ERROR = 'The database became unavailable while the session was created.'
/** Pauses before each look for the row: a statement that was given up may still be carried out. */
const LOOKS_AFTER_MS = [0, 1_000, 10_000, 40_000]
/** What is beyond, the next start of the server ends. */
const MOST = 10_000

interface Undecided {
  id: string
  looks: number
  /** On the clock of performance.now. */
  dueAt: number
}

/**
 * Starts of which the store did not say whether their row was committed, and whose callers were told that they failed. A
 * row that is there after all is ended, for no session will ever belong to it.
 */
export class UndecidedStarts {
  readonly #store: Pick<Store, 'findSession' | 'append'>
  readonly #ended: (record: SessionRecord) => void
  readonly #logger: Logger
  readonly #patience: StoreRetry
  readonly #closing = new AbortController()
  #undecided: Undecided[] = []
  #deciding: Promise<void> | null = null

  /** `ended`: told of each whose row was there, as it has been ended. */
  constructor(store: Pick<Store, 'findSession' | 'append'>, ended: (record: SessionRecord) => void, logger: Logger) {
    this.#store = store
    this.#ended = ended
    this.#logger = logger
    this.#patience = new StoreRetry(logger)
  }

  add({ id }: SessionRecord): void {
    if (this.#closing.signal.aborted || this.#undecided.length >= MOST) return
    this.#later({ id, looks: 0 })
    this.#deciding ??= unowned(() => this.#decideAll()).finally(() => (this.#deciding = null))
  }

  /** What is undecided then, the next start of the server ends. */
  async close(): Promise<void> {
    this.#closing.abort()
    this.#patience.giveUp()
    await this.#deciding
  }

  #later({ id, looks }: Omit<Undecided, 'dueAt'>): void {
    const afterMs = LOOKS_AFTER_MS[looks]
    if (afterMs !== undefined) this.#undecided.push({ id, looks: looks + 1, dueAt: performance.now() + afterMs })
  }

  /** Never rejects. */
  async #decideAll(): Promise<void> {
    const { signal } = this.#closing
    while (this.#undecided.length > 0 && !signal.aborted) {
      const next = this.#undecided.reduce((one, other) => (other.dueAt < one.dueAt ? other : one))
      const leftMs = next.dueAt - performance.now()
      // One that is due earlier may come meanwhile.
      if (leftMs > 0) await pause(Math.min(leftMs, 500), undefined, { signal }).catch(() => undefined)
      if (next.dueAt > performance.now()) continue
      this.#undecided.splice(this.#undecided.indexOf(next), 1)
      try {
        const isDecided = await this.#patience.untilAnswered(() => this.#decide(next.id))
        if (isDecided === false) this.#later(next)
      } catch (error) {
        this.#logger.error({ err: error, sessionId: next.id }, 'a session that failed to start could not be ended')
      }
    }
  }

  /** False: the row is not there, so far. */
  async #decide(id: string): Promise<boolean> {
    const record = await this.#store.findSession(id)
    if (!record) return false
    if (isEnded(record.status)) return true
    const at = Date.now()
    const change = { status: 'FAILED', endReason: 'LAUNCH_FAILED', error: ERROR } as const
    const data = { from: record.status, to: change.status, endReason: change.endReason, error: ERROR }
    const entry: LogEntry<'STATUS_CHANGE'> = { kind: 'STATUS_CHANGE', sequence: record.lastSequence + 1, at, data }
    const patch = { ...change, endedAt: at }
    const outcome = await this.#store.append(id, record.lastSequence, [entry], patch)
    if (outcome.kind === 'committed') this.#ended({ ...record, ...patch, lastSequence: entry.sequence })
    return true
  }
}
