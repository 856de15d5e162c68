import { writeFile } from 'node:fs/promises'
import { constants, getPriority, setPriority } from 'node:os'
import pRetry from 'p-retry'
import { bound } from '../../../fault-owner.ts'

/**
 * Niceness of every browser, added to the server's. Measured on two cores beside a page that floods: at 5 the server's
 * thread waited up to 1.6 s for a core, though it had work for 12 ms, and lines of other sessions were up to 0.5 s late
 * (p99) until the flood was detected; at 14, 0.02 to 0.06 s.
 */
const NICENESS = 14
/**
 * For a browser that keeps the server busy. The others must have a higher priority: beside a page that floods, the
 * server's own threads use all cores, and with this niceness for every browser, a quiet one waited longer than the
 * flood ever cost it.
 */
const BUSY_NICENESS = 19
/**
 * Share of the server's thread that reading the messages of one browser may take in the long run. Measured: 7,000
 * changes of the history or 80 lines of 200,000 characters a second take 0.04 to 0.12.
 */
const FREE_SHARE = 0.03
/** Milliseconds that it may take at once beyond that share. */
const BURST_MS = 40
/** Most debt beyond the burst at first: at the share above, the priority stays low for ten seconds. */
const LEAST_DEBT_MS = 300
/** Each time the browser is found busy again, its priority stays low for longer, up to a minute. */
const MAX_DEBT_MS = 1_800
/** The kernel lets unprivileged processes change a group ten times a second in all. */
const ATTEMPTS = 10
const PAUSE_MS = 150

/**
 * Gives the server precedence over a browser and its child processes when the processor is overloaded, and other
 * browsers precedence over one that floods the server with messages. A browser leads a session of processes, and Linux
 * divides the processor among sessions before it considers niceness within them (sched_autogroup, on by default): ten
 * busy browsers would each get as much as the whole server, whatever their niceness. So both are set, and only the
 * niceness of the group changes later, since that can be reverted without privileges. Settings that the system does not
 * support are left unchanged.
 */
export class BrowserPriority {
  readonly #pid: number
  readonly #isGone: () => boolean
  readonly #niceness: number
  readonly #now: () => number
  readonly #setGroup: (pid: number, niceness: number) => Promise<void>
  /** Milliseconds of the server's thread beyond the free share. */
  #debtMs = 0
  #debtAt: number
  #maxDebtMs = LEAST_DEBT_MS
  #isBusy = false
  #isDisposed = false
  #timer: NodeJS.Timeout | undefined
  /** Bound to the browser's fault owner, regardless of the caller. */
  readonly #look = bound(() => this.#lookAgain())
  /** Niceness of the group. */
  #wanted: number
  #isSetting = false

  constructor(
    pid: number,
    isGone: () => boolean,
    now: () => number = () => performance.now(),
    setGroup: (pid: number, niceness: number) => Promise<void> = setGroupNiceness,
  ) {
    this.#pid = pid
    this.#isGone = isGone
    this.#now = now
    this.#setGroup = setGroup
    this.#debtAt = now()
    // The server may have been started with a lower priority itself.
    this.#niceness = getPriority()
    try {
      setPriority(pid, niceness(this.#niceness + NICENESS))
    } catch {
      // It has ended, or the system does not support priorities.
    }
    this.#wanted = niceness(this.#niceness + NICENESS)
    this.#set(NICENESS)
  }

  /** Adds milliseconds that the browser's messages took of the server's thread. */
  spent(milliseconds: number): void {
    const now = this.#now()
    this.#debtMs = Math.max(0, this.#debtMs - (now - this.#debtAt) * FREE_SHARE) + milliseconds
    this.#debtAt = now
    if (this.#debtMs < BURST_MS) return
    this.#debtMs = Math.min(this.#debtMs, BURST_MS + this.#maxDebtMs)
    if (this.#isBusy || this.#isDisposed) return
    this.#isBusy = true
    this.#set(BUSY_NICENESS)
    this.#look()
  }

  /** From now on nothing is changed. */
  dispose(): void {
    this.#isDisposed = true
    clearTimeout(this.#timer)
  }

  #lookAgain(): void {
    const debtMs = Math.max(0, this.#debtMs - (this.#now() - this.#debtAt) * FREE_SHARE)
    if (debtMs > 0) {
      this.#timer = setTimeout(this.#look, Math.max(100, debtMs / FREE_SHARE)).unref()
      return
    }
    this.#isBusy = false
    this.#maxDebtMs = Math.min(MAX_DEBT_MS, this.#maxDebtMs * 2)
    this.#set(NICENESS)
  }

  #set(added: number): void {
    this.#wanted = niceness(this.#niceness + added)
    if (!this.#isSetting) void this.#setWanted()
  }

  /** One at a time, since each may need several attempts: the last wanted value prevails. Never rejects. */
  async #setWanted(): Promise<void> {
    this.#isSetting = true
    for (let set: number | null = null; set !== this.#wanted && !this.#isDisposed && !this.#isGone();) {
      set = this.#wanted
      await this.#setGroup(this.#pid, set)
    }
    this.#isSetting = false
  }
}

const niceness = (wanted: number) => Math.min(constants.priority.PRIORITY_LOW, wanted)

/** Never rejects. */
async function setGroupNiceness(pid: number, value: number): Promise<void> {
  await pRetry(() => writeFile(`/proc/${pid}/autogroup`, String(value)), {
    retries: ATTEMPTS - 1,
    minTimeout: PAUSE_MS,
    factor: 1,
    unref: true,
    shouldRetry: ({ error }) => (error as NodeJS.ErrnoException).code === 'EAGAIN',
  }).catch(() => undefined)
}
