import { existsSync } from 'node:fs'
import { lstat, readdir, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import type { Logger } from '../../../logger.ts'

/** Interval between two checks of the folders of all browsers. */
const LOOK_MS = 1_000
/** How long a browser has to free the space of canceled downloads and recordings. */
const BREAK_OFF_MS = 3_000
/** Delay of the next check per existing file: a trace may have many. */
const PAUSE_FOR_FILE_MS = 0.1
/** Files whose sizes are read concurrently. */
const AT_ONCE = 32
/** Deeper than any folder of a browser or a recording. */
const MAX_LEVELS = 24
/** A new session is rejected if less than this share of the limit is left. */
const SPACE_TO_START = 0.1
/** It is also rejected if less than this share of the file system is free, or these bytes if they are less. */
const FREE_SHARE = 0.05
const FREE_BYTES = 256 * 1024 * 1024
/** Bytes of a block, as counted by stat. */
const BLOCK = 512

/** Bytes on the disk by path, relative to the folder: of each file in `recordings`, and of each other folder. */
export type FolderSizes = ReadonlyMap<string, number>

/** The folder of one browser. */
export interface WatchedFolder {
  /** Reports the sizes at each check. Replace it when the browser gets an owner. */
  onSizes: (sizes: FolderSizes) => void
  /**
   * The folder exceeds its limit; `why`: a sentence that says so. First ('break off'), cancel the files that are still
   * being written; if a later check finds that insufficient ('end'), end the browser.
   */
  onOverrun: (stage: 'break off' | 'end', why: string) => void
  /** Its limit in all. */
  readonly limitBytes: number
  /** Why there is no room for that many more bytes, in one sentence; null: there is, and they count from now on. */
  refusal(bytes: number): string | null
}

interface Watched {
  folder: WatchedFolder
  dir: string
  bytes: number
  /** When its downloads and recordings were stopped for exceeding the limit; null: it is within the limit. */
  brokenOffAt: number | null
  isEnded: boolean
}

/**
 * Limits the temporary files of all browsers together, and of each. One timer checks all of them. Storage of pages
 * (caches, databases, files of their own) is in the memory of the browser, since contexts are incognito; so these are
 * downloads, recordings, files for uploads, and other files of the browser.
 */
export class TempSpace {
  readonly #root: string
  readonly #limitBytes: number
  readonly #logger: Logger
  /** By path. */
  readonly #watched = new Map<string, Watched>()
  #timer: NodeJS.Timeout | undefined
  #looking: Promise<void> = Promise.resolve()
  #isClosed = false
  #freeBytes = Number.POSITIVE_INFINITY
  #freeNeeded = 0

  /** `root`: an existing folder on the same file system as the browsers' folders. */
  constructor(root: string, limitBytes: number, logger: Logger) {
    this.#root = root
    this.#limitBytes = limitBytes
    this.#logger = logger
    this.#schedule(0)
  }

  /** Limit of one browser: half of the total, so that one alone cannot keep others from starting. */
  get sessionLimitBytes(): number {
    return Math.floor(this.#limitBytes / 2)
  }

  /** Watches an existing folder until it is removed. Returns the same object for the same folder. */
  watch(dir: string): WatchedFolder {
    const known = this.#watched.get(dir)
    if (known) return known.folder
    const limitBytes = this.sessionLimitBytes
    const refusal = (bytes: number) => {
      if (watched.bytes + bytes > limitBytes) {
        const used = `the session's browser uses ${mebibytes(watched.bytes)} MiB of the temporary folder`
        return `There is no room for ${bytes} bytes: ${used}, and its limit is ${mebibytes(limitBytes)} MiB.`
      }
      watched.bytes += bytes
      return null
    }
    const folder: WatchedFolder = { limitBytes, refusal, onSizes: () => {}, onOverrun: () => {} }
    const watched: Watched = { dir, folder, bytes: 0, brokenOffAt: null, isEnded: false }
    this.#watched.set(dir, watched)
    return folder
  }

  /** Why no session can be started now, in one sentence; null: one can. */
  refusal(): string | null {
    const max = this.#limitBytes * (1 - SPACE_TO_START)
    if (this.#usedBytes() > max) this.#forgetRemoved()
    const used = this.#usedBytes()
    if (used > max) {
      return `The temporary folder is full: browsers use ${mebibytes(used)} of ${mebibytes(this.#limitBytes)} MiB (TABWIRE_TEMP_LIMIT_MB). Terminate sessions, or try again later.`
    }
    if (this.#freeBytes < this.#freeNeeded) {
      return `The disk of the temporary folder is full: ${mebibytes(this.#freeBytes)} MiB are free, and ${mebibytes(this.#freeNeeded)} MiB are needed.`
    }
    return null
  }

  async close(): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#timer)
    await this.#looking
  }

  /** A session that has just ended frees its share at once: the next start does not wait for a check. */
  #forgetRemoved(): void {
    for (const { dir } of this.#watched.values()) if (!existsSync(dir)) this.#watched.delete(dir)
  }

  #usedBytes(): number {
    let used = 0
    for (const { bytes } of this.#watched.values()) used += bytes
    return used
  }

  #schedule(delayMs: number): void {
    if (this.#isClosed) return
    this.#timer = setTimeout(() => {
      this.#looking = this.#look()
    }, delayMs)
    this.#timer.unref()
  }

  /** Never rejects. */
  async #look(): Promise<void> {
    let files = 0
    try {
      await this.#measureFree()
      for (const watched of this.#watched.values()) {
        if (this.#isClosed) return
        const measured = await measureFolder(watched.dir)
        if (measured === null) {
          this.#watched.delete(watched.dir)
          continue
        }
        const { sizes } = measured
        files += measured.files
        watched.bytes = [...sizes.values()].reduce((sum, bytes) => sum + bytes, 0)
        watched.folder.onSizes(sizes)
      }
      this.#judge()
    } catch (error) {
      this.#logger.error({ err: error }, 'the temporary folder could not be checked')
    }
    this.#schedule(LOOK_MS + files * PAUSE_FOR_FILE_MS)
  }

  async #measureFree(): Promise<void> {
    const { bavail, blocks, bsize } = await statfs(this.#root)
    this.#freeBytes = bavail * bsize
    this.#freeNeeded = Math.min(FREE_BYTES, blocks * bsize * FREE_SHARE)
  }

  #judge(): void {
    const used = this.#usedBytes()
    // If it was ended already, its bytes are about to be freed, and no other browser has to end.
    const largest = [...this.#watched.values()].toSorted((one, other) => other.bytes - one.bytes)[0]
    for (const watched of this.#watched.values()) {
      const isAlone = watched.bytes > this.sessionLimitBytes
      if (isAlone || (watched === largest && used > this.#limitBytes)) {
        const taken = `The session's browser uses ${mebibytes(watched.bytes)} MiB of the temporary folder`
        const bound = isAlone
          ? `the limit of a session is ${mebibytes(this.sessionLimitBytes)} MiB, half of TABWIRE_TEMP_LIMIT_MB`
          : `all use ${mebibytes(used)} MiB, and the limit is ${mebibytes(this.#limitBytes)} MiB (TABWIRE_TEMP_LIMIT_MB)`
        this.#overrun(watched, `${taken}; ${bound}.`)
      } else if (watched.brokenOffAt !== null && !watched.isEnded) watched.brokenOffAt = null
    }
  }

  #overrun(watched: Watched, why: string): void {
    const now = performance.now()
    const isFirst = watched.brokenOffAt === null
    if (watched.isEnded || (watched.brokenOffAt !== null && now - watched.brokenOffAt < BREAK_OFF_MS)) return
    watched.brokenOffAt ??= now
    watched.isEnded = !isFirst
    const { dir, bytes, isEnded } = watched
    this.#logger.warn({ dir, bytes, isEnded }, 'a browser uses too much of the temporary folder')
    watched.folder.onOverrun(isEnded ? 'end' : 'break off', why)
  }
}

const mebibytes = (bytes: number) => Math.round(bytes / 1024 / 1024)

/** Does not follow links. Entries removed meanwhile do not count; null: the folder itself is gone. */
async function measureFolder(dir: string): Promise<{ sizes: FolderSizes; files: number } | null> {
  if (!(await lstat(dir).catch(() => null))) return null
  const sizes = new Map<string, number>()
  let fileCount = 0
  const add = (key: string, bytes: number) => sizes.set(key, (sizes.get(key) ?? 0) + bytes)
  const walk = async (path: string, keyOf: (name: string) => string, level: number): Promise<void> => {
    if (level > MAX_LEVELS) return
    const entries = await readdir(path, { withFileTypes: true }).catch(() => [])
    const files = entries.filter((entry) => !entry.isDirectory())
    fileCount += files.length
    for (let start = 0; start < files.length; start += AT_ONCE) {
      const sizesOf = files.slice(start, start + AT_ONCE).map(async ({ name }) => {
        const stats = await lstat(join(path, name)).catch(() => null)
        if (stats) add(keyOf(name), stats.blocks * BLOCK)
      })
      await Promise.all(sizesOf)
    }
    for (const { name } of entries.filter((entry) => entry.isDirectory())) {
      const key = keyOf(name)
      // Each file of recordings has a size of its own.
      const keyBelow = path === dir && name === 'recordings' ? (file: string) => `${key}/${file}` : () => key
      await walk(join(path, name), keyBelow, level + 1)
    }
  }
  await walk(dir, (name) => name, 0)
  return { sizes, files: fileCount }
}
