import type { Logger } from 'pino'
import { Deadline } from '../../async/deadline.ts'
import type { Bus } from '../../ports/machines/bus.ts'
import type { LogEntry } from '../../ports/log/log-entry.ts'
import type { SessionHolder, SessionRecord } from '../../ports/sessions/session-record.ts'
import type { ClaimedStart, QueueOutcome } from '../../ports/store/start-store.ts'
import { StoreUnavailable } from '../../ports/store/store-errors.ts'
import type { Store } from '../../ports/store/store.ts'
import { CapacityExceeded, retrySeconds, type CapacityQueue, type Place } from '../kernel/capacity-queue.ts'
import { isEnded } from '../kernel/session-state.ts'
import type { MachineLease } from '../machines/machines.ts'
import type { StartSessionInput } from '../sessions/input/session-input.ts'
import { asStorageFull } from '../sessions/input/new-session.ts'
import { insertWithRetry } from '../kernel/insert-retry.ts'
import { endWaiting } from '../starts/end-waiting.ts'
import { StartClaims } from '../starts/start-claims.ts'
import type { StartCipher } from '../starts/start-cipher.ts'
import { LOST_TASK, runningTasksOf } from '../tasks/tasks-of-session.ts'

export interface QueuedStartsOptions {
  store: Store
  bus: Bus
  cipher: StartCipher
  slots: CapacityQueue
  maxQueued: number
  machine: MachineLease
  warm(): number
  requireSpace(): Promise<void>
  isHere(sessionId: string): boolean
  /** Starts a session that this machine has claimed, in the slot. Rejects if that is impossible, without leaving it. */
  launch(
    record: SessionRecord,
    input: StartSessionInput,
    holder: SessionHolder,
    place: Place,
    waitedMs: number,
  ): Promise<void>
  announce(record: SessionRecord): void
  logger: Logger
}

const CLOSE_MS = 1_000

/** Starts of several machines: each is queued in the database, and one of the machines starts it. */
export class QueuedStarts {
  readonly claims: StartClaims
  readonly #options: QueuedStartsOptions

  constructor(options: QueuedStartsOptions) {
    this.#options = options
    const { store, bus, slots, machine, warm, requireSpace, isHere, announce, logger } = options
    this.claims = new StartClaims({
      store,
      bus,
      slots,
      holder: () => machine.identity,
      warm,
      requireSpace,
      isHere,
      begin: (claimed, holder, place) => this.#begin(claimed, holder, place),
      ended: announce,
      logger,
    })
  }

  /** As insertNewSession. Also throws CapacityExceeded. */
  async add(
    record: SessionRecord,
    firstEntry: LogEntry,
    input: StartSessionInput,
  ): Promise<Exclude<QueueOutcome, { kind: 'full' }>> {
    const { store, cipher, maxQueued, announce } = this.#options
    const sealed = cipher.seal(record, input)
    const queue = () => store.queueSession(record, [firstEntry], sealed, maxQueued)
    const outcome = await insertWithRetry(queue).catch(asStorageFull)
    if (outcome.kind === 'full') throw new CapacityExceeded(retrySeconds(outcome.freeInMs))
    if (outcome.kind === 'inserted') {
      announce(record)
      await this.claims.queued(record.id)
    }
    return outcome
  }

  /** Resolves when what was claimed is live here or released, as far as the database allows within a second. */
  async close(): Promise<void> {
    await Deadline.isMet(this.claims.close(), CLOSE_MS)
  }

  async #begin({ sessionId, sealed, waitedMs }: ClaimedStart, holder: SessionHolder, place: Place): Promise<void> {
    const { store, bus, cipher, launch, announce, logger } = this.#options
    const record = await store.findSession(sessionId)
    if (!record || isEnded(record.status)) return place.leave()
    await this.#endEarlierTasks(sessionId)
    try {
      await launch(record, cipher.open(record, sealed), holder, place, waitedMs)
    } catch (error) {
      if (error instanceof StoreUnavailable) throw error
      // It would fail on any other machine as well: its profile was deleted, or the secret is another one there.
      logger.warn({ err: error, sessionId }, 'a queued session could not be started')
      const message = error instanceof Error ? error.message : String(error)
      const end = { status: 'FAILED', endReason: 'LAUNCH_FAILED', error: message } as const
      const ended = await endWaiting(store, record, end, holder)
      place.leave()
      if (ended) announce(ended)
    }
    bus.publish(sessionId)
  }

  /** Of a machine that was lost before the session ran. */
  async #endEarlierTasks(sessionId: string): Promise<void> {
    const { store } = this.#options
    for (const { id } of await runningTasksOf(store, sessionId)) {
      await store.updateTask(id, { status: 'FAILED', error: LOST_TASK, endedAt: Date.now() })
    }
  }
}

/** The store for a session of this machine: nothing is written once another one holds it. */
export function heldStore(store: Store, holder: SessionHolder): Store {
  return {
    ...store,
    append: (sessionId, expectedLast, entries, patch) => store.append(sessionId, expectedLast, entries, patch, holder),
    patchSession: (sessionId, patch) => store.patchSession(sessionId, patch, holder),
  }
}
