import type { Logger } from '../../../logger.ts'
import type { ClientFolder } from './client-folder.ts'
import { Deadline } from '../../../async/deadline.ts'

type Copying = Pick<ClientFolder, 'copy'>

/** Number of results that are remembered. */
const MAX_RESULTS = 1_000
/** Finding out whether a client has a folder here takes milliseconds, and longer on a machine with many connections. */
const FINDING_MS = 10_000
/** Storing an artifact of gigabytes takes time. */
const KEPT_MS = 120_000

/**
 * Downloads become artifacts, and their files are removed: clients get the end of a download only after that, with a
 * copy in their own folder.
 */
export class DownloadHandover {
  readonly #logger: Logger
  /** By guid: clients' folders for the copy, as soon as they are known; null: they have none here. */
  readonly #folders = new Map<string, Set<Promise<Copying | null>>>()
  /** By guid: whether it was stored as an artifact. */
  readonly #results = new Map<string, PromiseWithResolvers<boolean>>()
  #isOver = false

  constructor(logger: Logger) {
    this.#logger = logger
  }

  /**
   * The client will look for the download in its folder, if it has one here, under its guid, which must be a plain
   * name. `folder` must not reject.
   */
  claim(guid: string, folder: Promise<Copying | null>): void {
    const folders = this.#folders.get(guid) ?? new Set<Promise<Copying | null>>()
    this.#folders.set(guid, folders.add(folder))
  }

  /** Resolves when the download has ended and its file was processed: whether it became an artifact. */
  async isSaved(guid: string): Promise<boolean> {
    return !this.#isOver && (await Deadline.result(this.#resultOf(guid).promise, KEPT_MS)) === true
  }

  /** The download has ended, and its file, if it has one, is about to be removed. Never rejects. */
  async ended(guid: string, path: string, isSaved: boolean): Promise<void> {
    const folders = this.#folders.get(guid)
    this.#folders.delete(guid)
    if (folders && isSaved) {
      for (const finding of folders) {
        const folder = await Deadline.result(finding, FINDING_MS)
        await folder
          ?.copy(path, guid)
          .catch((error: unknown) => this.#logger.warn({ err: error }, 'a download could not be copied for a client'))
      }
    }
    this.#resultOf(guid).resolve(isSaved)
  }

  /** Unfinished downloads are not kept. */
  dispose(): void {
    this.#isOver = true
    this.#folders.clear()
    for (const { resolve } of this.#results.values()) resolve(false)
  }

  #resultOf(guid: string): PromiseWithResolvers<boolean> {
    const known = this.#results.get(guid)
    if (known) return known
    const result = Promise.withResolvers<boolean>()
    this.#results.set(guid, result)
    if (this.#results.size > MAX_RESULTS) {
      const [oldest] = this.#results.keys()
      this.#results.get(oldest!)?.resolve(false)
      this.#results.delete(oldest!)
    }
    return result
  }
}
