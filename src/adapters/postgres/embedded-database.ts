import { mkdirSync, rmSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { Deadline } from '../../async/deadline.ts'
import { createSocketDirectory, PORT, SOCKET_NAME } from './embedded-socket.ts'
import { COMPLETE, startThread, type EmbeddedThread } from './embedded-thread.ts'

export interface EmbeddedEvents {
  /** Its thread has been started for the first time. */
  starting?(): void
  /** It does not answer any more, and is being restarted. */
  down(reason: string): void
  /** It answers again. */
  up(): void
  /** It cannot be restarted: nothing can be stored any more. Called at most once. */
  lost(error: Error): void
}

export interface RestartTiming {
  firstDelayMs: number
  lastDelayMs: number
  /** A thread that lived this long is restarted without delay. */
  stableMs: number
  /** How long one attempt may take: the thread may stand still as the last one did. */
  startMs: number
  /** How long attempts may fail in a row. */
  giveUpMs: number
}

/** How long the database may take to write everything down when it is asked to end: less than a graceful end may. */
const CLOSE_DEADLINE_MS = 3_000

export const RESTART_TIMING: RestartTiming = {
  firstDelayMs: 250,
  lastDelayMs: 4_000,
  stableMs: 30_000,
  startMs: 120_000,
  giveUpMs: 10 * 60_000,
}

/**
 * PGlite in a thread of its own behind a Unix socket. A thread that ends, or is found to stand still, is replaced by
 * another on the same directory, which recovers as after a crash: everything that was acknowledged is there.
 */
export class EmbeddedDatabase {
  /** Where the data is stored. */
  readonly directory: string
  /** What pg takes for a host: the directory of the Unix socket. */
  readonly socketDirectory: string
  readonly port = PORT
  readonly #events: EmbeddedEvents
  readonly #timing: RestartTiming
  readonly #closed = new AbortController()
  #thread: EmbeddedThread
  #startedAt = performance.now()
  #delayMs = 0
  /** Why it does not answer now. */
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

  /** Rejects when the database cannot be opened the first time. */
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

  /** Why nothing answers now; null: it runs. */
  get downBecause(): string | null {
    return this.#down
  }

  /** Whether its files are where they were: open files of a directory that was removed take writes without a word. */
  async isInPlace(): Promise<boolean> {
    try {
      await stat(join(this.directory, COMPLETE))
      return true
    } catch (error) {
      return (error as NodeJS.ErrnoException).code !== 'ENOENT'
    }
  }

  /** Ends the thread in the midst of whatever it does, and starts another. */
  restart(reason: string): void {
    if (this.#down !== null || this.#closing) return
    this.#goDown(reason)
  }

  /** Asks it to write everything down; the deadline ends it as `kill` does. */
  close(): Promise<void> {
    return (this.#closing ??= this.#end(async () => {
      const deadline = setTimeout(() => void this.#thread.terminate(), CLOSE_DEADLINE_MS)
      this.#thread.askToClose()
      await this.#thread.ended
      clearTimeout(deadline)
    }))
  }

  /** Ends it in the midst of whatever it does; the next start finds everything that was committed. */
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

  /** Never rejects. Not by p-retry: the pauses go on growing from one outage to the next, until it has been up for a while. */
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
        // A thread that was ended leaves its socket behind.
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

/** What its thread says when the database is not where it was: no attempt will find it. */
const GONE = 'its directory is gone'
