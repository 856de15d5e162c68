import type { Logger } from 'pino'
import type { Bus } from '../../ports/machines/bus.ts'
import type { SessionRecord } from '../../ports/sessions/session-record.ts'
import type { Store } from '../../ports/store/store.ts'
import { LostSession } from './lost-session.ts'

const ERROR =
  'The server of the session stopped, or could not reach the database. Requests that were pending then are not in the log.'
/** Sessions per step, and of these at once: a thousand of them end within a few seconds. */
const STEP = 100
const AT_ONCE = 8

/** Ends the sessions of machines that lost their leases. Several servers may do so at once: one of them succeeds. */
export class LostSessions {
  readonly #store: Store
  readonly #bus: Bus
  readonly #machineId: string
  readonly #logger: Logger

  constructor(store: Store, bus: Bus, machineId: string, logger: Logger) {
    this.#store = store
    this.#bus = bus
    this.#machineId = machineId
    this.#logger = logger
  }

  /** Followers are woken. Rejects with StoreUnavailable. Those that are left are found by the next call, of any server. */
  async endAll(): Promise<void> {
    for (;;) {
      const records = await this.#store.listLostSessions(this.#machineId, STEP)
      let count = 0
      const waiting = records.values()
      const endSome = async () => {
        for (const record of waiting) if (await this.#end(record)) count += 1
      }
      await Promise.all(Array.from({ length: AT_ONCE }, endSome))
      if (count > 0)
        this.#logger.warn({ sessions: count }, 'sessions of machines without a lease ended as MACHINE_LOST')
      if (records.length < STEP || count === 0) return
    }
  }

  async #end(record: SessionRecord): Promise<boolean> {
    const lost = await LostSession.read(this.#store, record, ERROR)
    const isEnded = await lost.end(this.#store)
    if (isEnded) this.#bus.publish(record.id)
    return isEnded
  }
}
