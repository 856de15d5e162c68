import { rm, rmdir } from 'node:fs/promises'
import type { Logger } from '../../../logger.ts'

const FIRST_RETRY_MS = 500
const LAST_RETRY_MS = 60_000
/** Most directories that are tried again; others stay until the next start of the server. */
const MAX_LEFT = 1_000

/**
 * The directory that contains those of all browsers of one server. One that cannot be removed, because a process still
 * writes to it, is tried again until it is gone: it would count in TABWIRE_TEMP_LIMIT_MB until the server is restarted.
 */
export class BrowsersDirectory {
  readonly path: string
  readonly #logger: Logger
  readonly #left = new Set<string>()
  #retryMs = FIRST_RETRY_MS
  #timer: NodeJS.Timeout | undefined
  #retrying: Promise<void> | null = null
  #isClosed = false

  constructor(path: string, logger: Logger) {
    this.path = path
    this.#logger = logger
  }

  /** Removes the directory of a browser that has exited: now, or later. Never rejects. */
  async remove(dir: string): Promise<void> {
    const failure = await removed(dir)
    if (failure === null) return
    this.#logger.warn({ err: failure, dir }, 'the directory of a browser could not be removed')
    if (this.#isClosed || this.#left.size >= MAX_LEFT) return
    this.#left.add(dir)
    this.#retryMs = FIRST_RETRY_MS
    this.#schedule()
  }

  /** Tries the remaining ones once more, and removes itself if it is empty. */
  async close(): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#timer)
    await this.#retrying
    await this.#retry()
    await rmdir(this.path).catch(() => undefined)
  }

  #schedule(): void {
    if (this.#isClosed || this.#retrying || this.#left.size === 0) return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      this.#retryMs = Math.min(this.#retryMs * 2, LAST_RETRY_MS)
      this.#retrying = this.#retry().finally(() => {
        this.#retrying = null
        this.#schedule()
      })
    }, this.#retryMs)
    this.#timer.unref()
  }

  /** Never rejects. */
  async #retry(): Promise<void> {
    for (const dir of this.#left) {
      if ((await removed(dir)) !== null) continue
      this.#left.delete(dir)
      this.#logger.info({ dir }, 'the directory of a browser was removed by a later attempt')
    }
  }
}

/** Null: it was removed; otherwise the error. */
function removed(dir: string): Promise<unknown> {
  return rm(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 }).then(
    () => null,
    (error: unknown) => error,
  )
}
