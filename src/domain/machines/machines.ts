import type { MachineRecord } from '../../ports/machines/machine-store.ts'
import type { SessionRecord } from '../../ports/sessions/session-record.ts'
import type { Capacity } from '../sessions/session-directory.ts'

/** The machines of the installation, for readers. */
export interface MachineDirectory {
  /** By start time. */
  list(): Promise<MachineRecord[]>
  /** All machines as they are now, then again after each change; the time of a heartbeat alone is none. */
  changes(signal: AbortSignal): AsyncIterableIterator<MachineRecord[], undefined>
}

/** This machine's place among them, for its sessions. */
export interface MachineLease {
  /** What its sessions are started under. */
  readonly identity: Pick<SessionRecord, 'machineId' | 'machineEpoch'>
  /** Whether other machines may have sessions. */
  readonly hasOthers: boolean
  /** This machine's slots with those of all others. */
  totalCapacity(own: Capacity): Capacity
}

/** This machine among those of the installation. */
export interface Machines extends MachineDirectory, MachineLease {
  /** From now on, as long as the server runs. */
  serve(sessions: LeasedSessions): void
  /** An internal URL, or host and port; null: nothing on other machines reaches it. */
  listensAt(address: string | null): void
  /** From now on the server accepts no new sessions. Idempotent. */
  drain(): void
  /** Call when its sessions have ended. Resolves within a second or so. */
  close(): Promise<void>
}

/** The sessions of this machine, as its lease needs them. */
export interface LeasedSessions {
  ownCapacity(): Capacity
  /** They end as MACHINE_LOST: other servers end or have ended them in the database. Idempotent. */
  loseAll(error: string): void
}
