import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import type { Logger } from '../../../logger.ts'
import { prlimitPath, setprivPath } from './setpriv.ts'

/** Of one change of the limit. */
const DEADLINE_MS = 5_000
/**
 * No limit is below. Memory that a browser's processes share is a file to the kernel: measured, blobs and screenshots
 * fail with 8 MiB, and none did with 16.
 */
export const LEAST_LIMIT_BYTES = 16 * 1024 * 1024

const run = promisify(execFile)

/**
 * How large a file may be that the main process of one browser writes, which is the one that writes downloads. The kernel
 * refuses what is above, however late the browser is to do as it is told and we are to hear of it; the browser takes that
 * for an error of the download (SIGXFSZ is ignored in it). Only the soft limit is changed, so that it can be raised again.
 */
export class FileSizeLimit {
  readonly #pid: number
  readonly #uid: number | null
  readonly #hasExited: () => boolean
  readonly #logger: Logger
  #wanted: number | null = null
  #applied: number | null = null
  /** As it was at the start, as prlimit takes it. */
  #atStart: string | null = null
  #applying: Promise<void> | null = null
  #isOver = false

  /** `uid`: of the browser; null: ours. */
  constructor(pid: number, uid: number | null, hasExited: () => boolean, logger: Logger) {
    this.#pid = pid
    this.#uid = uid
    this.#hasExited = hasExited
    this.#logger = logger
    // Looked for now, not when there is no time for it.
    this.#isOver = prlimitPath() === null || setprivPath() === null
  }

  /**
   * At least LEAST_LIMIT_BYTES; null: as it was at the start. A browser whose limit is lowered stands still until that is
   * done: nothing is written meanwhile. Does nothing where the system has no prlimit.
   */
  set(bytes: number | null): void {
    const wanted = bytes === null || bytes === Infinity ? null : Math.ceil(Math.max(bytes, LEAST_LIMIT_BYTES))
    if (this.#isOver || this.#hasExited() || wanted === this.#wanted) return
    const isLower = wanted !== null && wanted < (this.#wanted ?? Number.POSITIVE_INFINITY)
    this.#wanted = wanted
    if (isLower) this.#signal('SIGSTOP')
    this.#applying ??= this.#apply()
  }

  /** Once the browser has ended. */
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
        // It may be raised to what it was, no further. (No comparison holds with "unlimited".)
        const isAsAtStart = wanted === null || wanted >= Number(this.#atStart)
        await this.#prlimit(isAsAtStart ? this.#atStart : String(wanted))
        this.#applied = wanted
      }
    } catch (error) {
      // What is wrong once will be so again, and each time the browser would stand still for it.
      this.#isOver = true
      if (!this.#hasExited())
        this.#logger.warn({ err: error }, 'the size of files that a browser writes cannot be bounded')
    } finally {
      this.#applying = null
      this.#signal('SIGCONT')
    }
  }

  async #prlimit(soft: string): Promise<void> {
    const command = [prlimitPath()!, '--pid', String(this.#pid), `--fsize=${soft}:`]
    // Root in a container may not change limits of another user's process: that user may.
    const user =
      this.#uid === null ? [] : ['--reuid', String(this.#uid), '--regid', String(this.#uid), '--clear-groups']
    const [program, ...args] = user.length === 0 ? command : [setprivPath()!, ...user, '--', ...command]
    // Nothing of our environment: whoever has that user id can read it.
    await run(program!, args, { env: {}, cwd: '/', timeout: DEADLINE_MS, killSignal: 'SIGKILL' })
  }

  #signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    try {
      if (!this.#hasExited()) process.kill(this.#pid, signal)
    } catch {
      // It has ended.
    }
  }
}

function softLimit(limits: string): string {
  const [, soft] = /^Max file size\s+(\S+)/m.exec(limits) ?? []
  if (soft === undefined) throw new Error('the system does not tell how large files of a browser may be')
  return soft
}
