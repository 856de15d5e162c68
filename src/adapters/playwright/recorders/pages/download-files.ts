import { lstatSync } from 'node:fs'
import { join } from 'node:path'

/** Files are named by their guids, which the browser chooses: this excludes paths. */
export const PLAIN_NAME = /^[\w-]{1,100}$/
/** Chromium's suffix of an unfinished file. */
export const UNFINISHED = '.crdownload'
/**
 * Chromium's name of a file in its temporary folder until its UI thread has assigned a guid, which may take a while.
 */
export const NAMELESS = /^\.[\w.-]{1,100}$/

/** The guid in the name of a file, unfinished or not. */
export const guidOf = (name: string): string => (name.endsWith(UNFINISHED) ? name.slice(0, -UNFINISHED.length) : name)

/** Files of downloads in the browser's folders. */
export class DownloadFiles {
  readonly #named: string
  readonly #nameless: string | null

  /** `nameless`: the browser's temporary folder, if known. */
  constructor(named: string, nameless: string | null) {
    this.#named = named
    this.#nameless = nameless
  }

  /** Size in bytes of the file with a guid. Null: there is none. */
  named(guid: string): number | null {
    const path = join(this.#named, guid)
    return sizeOf(`${path}${UNFINISHED}`) ?? sizeOf(path)
  }

  /** Size in bytes of a file without a guid so far. Null: there is none. */
  nameless(name: string): number | null {
    return this.#nameless === null ? null : sizeOf(join(this.#nameless, name))
  }
}

/** Does not follow links. Null: there is no such file. */
function sizeOf(path: string): number | null {
  try {
    const stats = lstatSync(path, { throwIfNoEntry: false })
    return stats?.isFile() === true ? stats.size : null
  } catch {
    return null
  }
}
