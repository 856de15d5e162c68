import { setTimeout as pause } from 'node:timers/promises'
import type { Logger } from 'pino'
import { unowned } from '../../fault-owner.ts'
import type { LogEntry } from '../../ports/log/log-entry.ts'
import type { SessionRecord } from '../../ports/sessions/session-record.ts'
import type { Store } from '../../ports/store/store.ts'
import { isEnded } from '../kernel/session-state.ts'
import { StoreRetry } from '../log/writing/store-retry.ts'

const ERROR = 'The database became unavailable while the session was created.'
/** Delays before each check for the row: an abandoned statement may still be executed. */
const LOOKS_AFTER_MS = [0, 1_000, 10_000, 40_000]
/** After that, it is left to the next start of the server. */
const MAX = 10_000

interface Undecided {
  id: string
  looks: number
  /** On the clock of performance.now. */
  dueAt: number
}

/**
 * Starts that failed for their callers, while it is unknown whether the store committed their row. A row that does
 * exist is ended, since no session will ever belong to it.
 */
export class UndecidedStarts {
  readonly #store: Pick<Store, 'findSession' | 'append'>
  readonly #ended: (record: SessionRecord) => void
  readonly #logger: Logger
  readonly #patience: StoreRetry
  readonly #closing = new AbortController()
  #undecided: Undecided[] = []
  #deciding: Promise<void> | null = null

  /** `ended`: called for each existing row, after it was ended. */
  constructor(store: Pick<Store, 'findSession' | 'append'>, ended: (record: SessionRecord) => void, logger: Logger) {
    this.#store = store
    this.#ended = ended
    this.#logger = logger
    this.#patience = new StoreRetry(logger)
  }

  add({ id }: SessionRecord): void {
    if (this.#closing.signal.aborted || this.#undecided.length >= MAX) return
    this.#later({ id, looks: 0 })
    this.#deciding ??= unowned(() => this.#decideAll()).finally(() => (this.#deciding = null))
  }

  /** Starts that are still undecided are left to the next start of the server. */
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
      // An earlier check may be added meanwhile.
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

  /** False: the row does not exist so far. */
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
