import { LRUCache } from 'lru-cache'
import type { Logger } from '../../../logger.ts'

interface UnreadableEntry {
  sessionId: string
  sequence: number
  /** Null: of an unknown kind. */
  kind: string | null
  problem: string
}

/** Number of sessions that are remembered; for a forgotten one the server may log a second time. */
const SESSIONS = 1000

/** Logs that entries cannot be read, once per session: a damaged log is read again and again. */
export class UnreadableEntries {
  readonly #logger: Logger
  readonly #reported = new LRUCache<string, true>({ max: SESSIONS })

  constructor(logger: Logger) {
    this.#logger = logger
  }

  report(entry: UnreadableEntry): void {
    if (this.#reported.get(entry.sessionId)) return
    this.#reported.set(entry.sessionId, true)
    this.#logger.error(entry, 'an entry of a log cannot be read; further ones of its session are not reported')
  }
}
