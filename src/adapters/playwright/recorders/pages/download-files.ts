import { lstatSync } from 'node:fs'
import { join } from 'node:path'

/** The files are called by their guids, which come from the browser: no path, and nothing but a name. */
export const PLAIN_NAME = /^[\w-]{1,100}$/
/** As Chromium calls a file that it still writes. */
export const UNFINISHED = '.crdownload'
/** As it calls one in its temporary folder until its UI thread has given it a guid, which may take a while. */
export const NAMELESS = /^\.[\w.-]{1,100}$/

/** The guid of a file by its name, unfinished or not. */
export const guidOf = (name: string): string => (name.endsWith(UNFINISHED) ? name.slice(0, -UNFINISHED.length) : name)

/** Where the browser writes the files of downloads. */
export class DownloadFiles {
  readonly #named: string
  readonly #nameless: string | null

  /** `nameless`: the browser's temporary folder, where it is known. */
  constructor(named: string, nameless: string | null) {
    this.#named = named
    this.#nameless = nameless
  }

  /** Size in bytes of the file of a guid. Null: there is none. */
  named(guid: string): number | null {
    const path = join(this.#named, guid)
    return sizeOf(`${path}${UNFINISHED}`) ?? sizeOf(path)
  }

  /** Size in bytes of a file that has no guid yet. Null: there is none. */
  nameless(name: string): number | null {
    return this.#nameless === null ? null : sizeOf(join(this.#nameless, name))
  }
}

/** Follows no link. Null: there is no such file. */
function sizeOf(path: string): number | null {
  try {
    const stats = lstatSync(path, { throwIfNoEntry: false })
    return stats?.isFile() === true ? stats.size : null
  } catch {
    return null
  }
}
