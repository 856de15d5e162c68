import type { LogEntry } from '../log/log-entry.ts'
import type { SessionHolder, SessionRecord } from '../sessions/session-record.ts'

/**
 * Of what a start is stored with: raised with each option that startSession gains, whose earlier servers would refuse it.
 * They leave such starts to servers of the new version.
 */
export const START_VERSION = 1

/** A start for which so many machines were lost is not claimed any more: it may be what they are lost by. */
export const MAX_LOST_MACHINES = 3

/** A machine that has a free slot. */
export interface Claimant extends SessionHolder {
  machineEpoch: number
  /** Its live sessions, without the one that is claimed. */
  live: number
  /** Browsers that run on it and wait for a session. */
  warm: number
  /**
   * How long starts are left to machines that suit them better: those with a warm browser, then those with fewer live
   * sessions.
   */
  graceMs: number
  /** The latest START_VERSION that it knows. */
  version: number
}

/** A start that this machine has claimed. */
export interface ClaimedStart {
  sessionId: string
  sealed: Uint8Array
  /** Since it was queued, by the clock of the database: those of machines differ. */
  waitedMs: number
}

interface ClaimOutcome {
  /** Null: none waits, or all of them are left to other machines. */
  claimed: ClaimedStart | null
  /** Whether others wait. */
  othersWait: boolean
}

export type QueueOutcome =
  | { kind: 'inserted' }
  | { kind: 'exists'; record: SessionRecord }
  /** `freeInMs`: when the first live session ends at the latest, unless it is used until then; null: unknown. */
  | { kind: 'full'; freeInMs: number | null }

/**
 * The queue of several machines: sessions that wait for one to start them. A machine claims a start under its lease, and
 * the session's row then has it as its holder; nobody else writes the session's log from then on. Until the session is
 * RUNNING, a claim whose lease is over is void, and another machine may claim the start. Each owner's starts have rising
 * turns, at most one per turn, and lower turns go first: so owners take turns, whatever each of them has queued.
 */
export interface StartStore {
  /**
   * As insertSession, for a session that no machine holds; `full` if all slots of all machines are taken and
   * `maxQueued` sessions wait, even with concurrent calls. Repeated after a lost answer: inserted.
   */
  queueSession(
    record: SessionRecord,
    entries: readonly LogEntry[],
    sealed: Uint8Array,
    maxQueued: number,
  ): Promise<QueueOutcome>
  /**
   * Claims the next start, unless the claimant drains or its lease is over; none that has lost MAX_LOST_MACHINES, or is of a later version. After a
   * lost answer, listHeldStarts has what was claimed.
   */
  claimStart(claimant: Claimant): Promise<ClaimOutcome>
  /** The starts that the machine has claimed, and whose sessions are not RUNNING yet. */
  listHeldStarts(machineId: string, machineEpoch: number): Promise<string[]>
  /** The start waits again, in its turn. False: the machine does not hold it, or the session runs or has ended. */
  releaseStart(sessionId: string, holder: SessionHolder): Promise<boolean>
  /** The same for all claims whose lease is over: each start has lost one more machine. Returns their number. */
  releaseLostStarts(): Promise<number>
  /** Waiting sessions that have lost MAX_LOST_MACHINES, some hundreds at most. */
  listLostStarts(): Promise<SessionRecord[]>
  /** Sessions that no machine holds. */
  countWaitingStarts(): Promise<number>
  /** Waiting sessions that exceed their maximum duration, by the clock of the database, some hundreds at most. */
  listOverdueStarts(): Promise<SessionRecord[]>
  /** Deletes what is no longer needed of starts whose sessions run or have ended. */
  deleteStarts(): Promise<void>
}
