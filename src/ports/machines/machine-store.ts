/** A machine as it describes itself with each heartbeat. */
export interface MachineReport {
  /**
   * Its internal URL, or host and port that it listens on; null: only programs on the same machine reach it, or it does
   * not listen yet.
   */
  address: string | null
  version: string
  /** Sessions that can be live there at once. */
  slots: number
  live: number
  queued: number
  /** Browsers that run and wait for a session. */
  warm: number
  /** It accepts no new sessions, and ends once those that it has are over. */
  draining: boolean
}

/** A server on the database. Times are milliseconds since the epoch, by the clock of the database. */
export interface MachineRecord extends MachineReport {
  id: string
  epoch: number
  startedAt: number
  heartbeatAt: number
  leaseUntil: number
  /** Null: it takes part. Otherwise, when its lease was taken away, and its sessions were lost. */
  leftAt: number | null
  /** Whether its lease is valid. */
  isAlive: boolean
}

/** What a machine begins a lease as. */
export interface MachineIdentity {
  id: string
  /** Differs for each process. */
  instance: string
  /** Duration of each lease. The same on all machines. */
  leaseMs: number
}

/**
 * Leases of machines: a machine that does not renew its lease in time loses its sessions. Only the clock of the database
 * counts, so those of machines may differ. Every lease has an epoch, which its sessions carry, and it is over once the
 * machine's epoch is higher. Calls fail within a few seconds: StoreUnavailable.
 */
export interface MachineStore {
  /** Begins a lease when the server starts, whatever was before. Returns its epoch. */
  begin(machine: MachineIdentity, report: MachineReport): Promise<number>
  /**
   * Begins another lease once the last one was taken away. Null: another server has begun one under the same id
   * meanwhile.
   */
  beginAgain(machine: MachineIdentity, report: MachineReport): Promise<number | null>
  /** False: the lease of that epoch is over. */
  renew(machine: MachineIdentity, epoch: number, report: MachineReport): Promise<boolean>
  /**
   * Takes expired leases of others away, each once, even if many servers call. Only one that has renewed its own without
   * interruption for as long as a lease does so: after a failure of the database, the others need that time to renew
   * theirs. Returns the ids.
   */
  takeExpired(machine: MachineIdentity, epoch: number): Promise<string[]>
  /** Ends the machine's own lease, when the server shuts down. */
  leave(id: string, epoch: number): Promise<void>
  /** By start time; those that left by themselves are not listed. At most 200. */
  list(): Promise<MachineRecord[]>
  /** Deletes machines that left before the last hour, and have no live session. */
  deleteLeft(): Promise<void>
}
