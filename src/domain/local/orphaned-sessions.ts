import type { Logger } from 'pino'
import { unowned } from '../../fault-owner.ts'
import { StoreUnavailable } from '../../ports/store/store-errors.ts'
import type { Store } from '../../ports/store/store.ts'
import { StoreRetry } from '../log/writing/store-retry.ts'
import { LostSession } from '../machines/lost-session.ts'

const ERROR = 'The server stopped without ending this session. Requests that were pending then are not in the log.'

/**
 * Ends sessions that a crashed process left behind, as FAILED / MACHINE_LOST. Writes that fail because the disk is full
 * are deferred until they succeed: meanwhile the server runs, or nobody could free space.
 */
export class OrphanedSessions {
  readonly #store: Store
  readonly #logger: Logger
  readonly #patience: StoreRetry
  readonly #ending: Promise<void>[] = []

  constructor(store: Store, logger: Logger) {
    this.#store = store
    this.#logger = logger
    this.#patience = new StoreRetry(logger)
  }

  /**
   * Call before the first session is started. Resolves when each is ended or deferred: with their number, and with a
   * promise that the deferred ones are ended or abandoned; null: none is deferred.
   */
  async end(machineId: string): Promise<{ count: number; later: Promise<void> | null }> {
    const records = await this.#store.listLiveSessions(machineId)
    const orphans: LostSession[] = []
    for (const record of records) orphans.push(await LostSession.read(this.#store, record, ERROR))
    const waiting: LostSession[] = []
    for (const orphan of orphans) {
      try {
        await this.#end(orphan)
      } catch (error) {
        if (!(error instanceof StoreUnavailable)) throw error
        waiting.push(orphan)
      }
    }
    if (waiting.length === 0) return { count: records.length, later: null }
    const later = unowned(() => this.#endLater(waiting))
    this.#ending.push(later)
    return { count: records.length, later }
  }

  /** Deferred ones that remain are ended by the next start of the server. */
  async close(): Promise<void> {
    this.#patience.giveUp()
    await Promise.all(this.#ending)
  }

  /** Never rejects. */
  async #endLater(waiting: readonly LostSession[]): Promise<void> {
    this.#logger.warn(
      { orphans: waiting.length },
      'sessions that the last run left behind will be ended once the database can be written',
    )
    for (const orphan of waiting) {
      try {
        const isEnded = await this.#patience.untilAnswered(async () => {
          await this.#end(orphan)
          return true
        })
        if (isEnded === null) return
      } catch (error) {
        this.#logger.error({ err: error, sessionId: orphan.record.id }, 'an orphaned session could not be ended')
      }
    }
  }

  async #end(orphan: LostSession): Promise<void> {
    if (await orphan.end(this.#store)) return
    this.#logger.info({ sessionId: orphan.record.id }, 'another server ended an orphaned session')
  }
}
