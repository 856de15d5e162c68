import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import type { Logger } from '../../../logger.ts'
import { prlimitPath, setprivPath } from './setpriv.ts'

/** Time limit of one change. */
const DEADLINE_MS = 5_000
/**
 * The lowest limit. The kernel treats memory shared by a browser's processes as a file: measured, blobs and screenshots
 * fail with 8 MiB, and none did with 16.
 */
export const LEAST_LIMIT_BYTES = 16 * 1024 * 1024

const run = promisify(execFile)

/**
 * Limits the size of files written by the main process of one browser, which writes the downloads. The kernel rejects
 * larger writes, however late the browser obeys a cancellation or its events reach us; the browser treats that as an
 * error of the download (it ignores SIGXFSZ). Only the soft limit is changed, so that it can be raised again.
 */
export class FileSizeLimit {
  readonly #pid: number
  readonly #uid: number | null
  readonly #hasExited: () => boolean
  readonly #logger: Logger
  #wanted: number | null = null
  #applied: number | null = null
  /** The limit at the start, in prlimit's format. */
  #atStart: string | null = null
  #applying: Promise<void> | null = null
  #isOver = false

  /** `uid`: user id of the browser; null: our own. */
  constructor(pid: number, uid: number | null, hasExited: () => boolean, logger: Logger) {
    this.#pid = pid
    this.#uid = uid
    this.#hasExited = hasExited
    this.#logger = logger
    // Looked up now, rather than when time is short.
    this.#isOver = prlimitPath() === null || setprivPath() === null
  }

  /**
   * At least LEAST_LIMIT_BYTES; null: the limit at the start. A browser is stopped while its limit is lowered, so that
   * nothing is written meanwhile. Does nothing on systems without prlimit.
   */
  set(bytes: number | null): void {
    const wanted = bytes === null || bytes === Infinity ? null : Math.ceil(Math.max(bytes, LEAST_LIMIT_BYTES))
    if (this.#isOver || this.#hasExited() || wanted === this.#wanted) return
    const isLower = wanted !== null && wanted < (this.#wanted ?? Number.POSITIVE_INFINITY)
    this.#wanted = wanted
    if (isLower) this.#signal('SIGSTOP')
    this.#applying ??= this.#apply()
  }

  /** Call when the browser has exited. */
  async close(): Promise<void> {
    this.#isOver = true
    await this.#applying
  }

  /** Never rejects. */
  async #apply(): Promise<void> {
    try {
      while (this.#applied !== this.#wanted && !this.#isOver) {
        const wanted = this.#wanted
        this.#atStart ??= softLimit(readFileSync(`/proc/${this.#pid}/limits`, 'utf8'))
        // It can be raised to its value at the start, no further. (Comparisons with "unlimited", which is NaN, are
        // false.)
        const isAsAtStart = wanted === null || wanted >= Number(this.#atStart)
        await this.#prlimit(isAsAtStart ? this.#atStart : String(wanted))
        this.#applied = wanted
      }
    } catch (error) {
      // An error would recur, and each attempt would stop the browser.
      this.#isOver = true
      if (!this.#hasExited())
        this.#logger.warn({ err: error }, 'the size of files written by a browser cannot be limited')
    } finally {
      this.#applying = null
      this.#signal('SIGCONT')
    }
  }

  async #prlimit(soft: string): Promise<void> {
    const command = [prlimitPath()!, '--pid', String(this.#pid), `--fsize=${soft}:`]
    // Root in a container may not change limits of another user's process; that user may.
    const user =
      this.#uid === null ? [] : ['--reuid', String(this.#uid), '--regid', String(this.#uid), '--clear-groups']
    const [program, ...args] = user.length === 0 ? command : [setprivPath()!, ...user, '--', ...command]
    // None of our environment: any process with that user id can read it.
    await run(program!, args, { env: {}, cwd: '/', timeout: DEADLINE_MS, killSignal: 'SIGKILL' })
  }

  #signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    try {
      if (!this.#hasExited()) process.kill(this.#pid, signal)
    } catch {
      // It has exited.
    }
  }
}

function softLimit(limits: string): string {
  const [, soft] = /^Max file size\s+(\S+)/m.exec(limits) ?? []
  if (soft === undefined) throw new Error('prlimit did not report the file size limit of a browser')
  return soft
}
