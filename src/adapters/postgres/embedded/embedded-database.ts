import { mkdirSync, rmSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { Deadline } from '../../../async/deadline.ts'
import { createSocketDirectory, PORT, SOCKET_NAME } from './embedded-socket.ts'
import { COMPLETE, startThread, type EmbeddedThread } from './embedded-thread.ts'

export interface EmbeddedEvents {
  /** Its thread was started for the first time. */
  starting?(): void
  /** It no longer responds, and is being restarted. */
  down(reason: string): void
  /** It responds again. */
  up(): void
  /** It cannot be restarted: nothing can be stored any more. Called at most once. */
  lost(error: Error): void
}

export interface RestartTiming {
  firstDelayMs: number
  lastDelayMs: number
  /** A thread that lived this long is restarted without delay. */
  stableMs: number
  /** Time limit of one attempt: the new thread may hang like the last one. */
  startMs: number
  /** How long attempts may keep failing. */
  giveUpMs: number
}

/** How long the database may take to flush everything on shutdown: less than a graceful shutdown may. */
const CLOSE_DEADLINE_MS = 3_000

export const RESTART_TIMING: RestartTiming = {
  firstDelayMs: 250,
  lastDelayMs: 4_000,
  stableMs: 30_000,
  startMs: 120_000,
  giveUpMs: 10 * 60_000,
}

/**
 * PGlite in a separate thread behind a Unix socket. A thread that exits or hangs is replaced by another on the same
 * directory, which recovers as after a crash: every acknowledged write is there.
 */
export class EmbeddedDatabase {
  /** Where the data is stored. */
  readonly directory: string
  /** The host for pg: the directory of the Unix socket. */
  readonly socketDirectory: string
  readonly port = PORT
  readonly #events: EmbeddedEvents
  readonly #timing: RestartTiming
  readonly #closed = new AbortController()
  #thread: EmbeddedThread
  #startedAt = performance.now()
  #delayMs = 0
  /** Why it does not respond now. */
  #down: string | null = null
  #reviving: Promise<void> = Promise.resolve()
  #closing: Promise<void> | null = null

  private constructor(
    directory: string,
    socketDirectory: string,
    thread: EmbeddedThread,
    events: EmbeddedEvents,
    timing: RestartTiming,
  ) {
    this.directory = directory
    this.socketDirectory = socketDirectory
    this.#events = events
    this.#timing = timing
    this.#thread = thread
    this.#watch(thread)
  }

  /** Rejects if the database cannot be opened the first time. */
  static async start(
    dataDir: string,
    events: EmbeddedEvents,
    timing: RestartTiming = RESTART_TIMING,
  ): Promise<EmbeddedDatabase> {
    const directory = join(dataDir, 'database')
    mkdirSync(dataDir, { recursive: true, mode: 0o700 })
    const socketDirectory = await createSocketDirectory()
    const socketPath = join(socketDirectory, SOCKET_NAME)
    try {
      const started = startThread({ directory, socketPath, mustExist: false }, new AbortController().signal)
      events.starting?.()
      return new EmbeddedDatabase(directory, socketDirectory, await started, events, timing)
    } catch (error) {
      rmSync(socketDirectory, { recursive: true, force: true })
      throw error
    }
  }

  /** Why it does not respond now; null: it runs. */
  get downBecause(): string | null {
    return this.#down
  }

  /** Whether its files still exist: open files of a removed directory accept writes silently. */
  async isInPlace(): Promise<boolean> {
    try {
      await stat(join(this.directory, COMPLETE))
      return true
    } catch (error) {
      return (error as NodeJS.ErrnoException).code !== 'ENOENT'
    }
  }

  /** Kills the thread at any point of its work, and starts another. */
  restart(reason: string): void {
    if (this.#down !== null || this.#closing) return
    this.#goDown(reason)
  }

  /** Asks it to flush everything; after the deadline it is ended as by `kill`. */
  close(): Promise<void> {
    return (this.#closing ??= this.#end(async () => {
      const deadline = setTimeout(() => void this.#thread.terminate(), CLOSE_DEADLINE_MS)
      this.#thread.askToClose()
      await this.#thread.ended
      clearTimeout(deadline)
    }))
  }

  /** Kills it at any point of its work; the next start finds everything that was committed. */
  kill(): Promise<void> {
    return (this.#closing ??= this.#end(() => this.#thread.terminate()))
  }

  async #end(endThread: () => Promise<void>): Promise<void> {
    this.#closed.abort(new Error('it was closed'))
    await this.#reviving
    await endThread()
    rmSync(this.socketDirectory, { recursive: true, force: true })
  }

  #watch(thread: EmbeddedThread): void {
    void thread.ended.then((reason) => {
      if (this.#thread === thread && this.#down === null && !this.#closing) this.#goDown(reason)
    })
  }

  #goDown(reason: string): void {
    this.#down = reason
    this.#events.down(reason)
    this.#reviving = this.#revive(reason)
  }

  /**
   * Never rejects. Not by p-retry: the delays keep growing from one outage to the next, until it has been up for a
   * while.
   */
  async #revive(firstReason: string): Promise<void> {
    const { firstDelayMs, lastDelayMs, stableMs, startMs, giveUpMs } = this.#timing
    const { signal } = this.#closed
    const downAt = performance.now()
    if (downAt - this.#startedAt > stableMs) this.#delayMs = 0
    await this.#thread.terminate()
    for (let reason = firstReason; ;) {
      // Rejects when it is closed, which ends the loop below.
      await pause(this.#delayMs, undefined, { signal }).catch(() => {})
      this.#delayMs = Math.min(Math.max(firstDelayMs, this.#delayMs * 2), lastDelayMs)
      if (signal.aborted) return
      try {
        // A killed thread leaves its socket behind.
        const socketPath = join(this.socketDirectory, SOCKET_NAME)
        rmSync(socketPath, { force: true })
        using deadline = new Deadline(startMs, [signal])
        this.#thread = await startThread({ directory: this.directory, socketPath, mustExist: true }, deadline.signal)
        break
      } catch (error) {
        if (signal.aborted) return
        reason = error instanceof Error ? error.message : String(error)
      }
      this.#down = reason
      if (reason === GONE || performance.now() - downAt > giveUpMs) return this.#events.lost(new Error(reason))
    }
    this.#startedAt = performance.now()
    this.#down = null
    this.#watch(this.#thread)
    this.#events.up()
  }
}

/** The thread's error for a missing database: no retry will find it. */
const GONE = 'its directory is gone'
