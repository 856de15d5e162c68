import { constants } from 'node:fs'
import { open, rm, type FileHandle } from 'node:fs/promises'
import { basename, posix } from 'node:path'

/** Playwright's folder for the downloads of one browser. */
const NAME = /^playwright-artifacts-\w+$/
const OTHERS = 0o077

/**
 * A folder of a client on this machine, in which it looks for its downloads. A client's claim grants no rights: the
 * folder must belong to the client's user, be closed to all others and have Playwright's name for this purpose; and the
 * file is new, and belongs to that user.
 */
export class ClientFolder {
  readonly #path: string
  readonly uid: number

  private constructor(path: string, uid: number) {
    this.#path = path
    this.uid = uid
  }

  /** `uid`: user id of the client's process. Null: it is no such folder. */
  static async find(path: string, uid: number): Promise<ClientFolder | null> {
    if (!posix.isAbsolute(path) || !NAME.test(basename(path))) return null
    const folder = new ClientFolder(path, uid)
    return (await folder.isThere()) ? folder : null
  }

  /** Whether it is still the one, and as it was. */
  async isThere(): Promise<boolean> {
    const handle = await this.#open().catch(() => null)
    await handle?.close()
    return handle !== null
  }

  /**
   * `name`: a plain name of a file that does not exist yet. Rejects if it cannot be copied, and leaves nothing behind
   * then.
   */
  async copy(source: string, name: string): Promise<void> {
    await using folder = await this.#open()
    await using from = await open(source, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    const stats = await from.stat()
    // The browser can put anything there.
    if (!stats.isFile() || stats.nlink !== 1) throw new Error('not a regular file, or it has several links')
    const isNew = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW
    await using to = await open(within(folder, name), isNew, 0o600)
    try {
      await to.chown(this.uid, (await folder.stat()).gid)
      await to.writeFile(from.createReadStream({ autoClose: false }))
    } catch (error) {
      await rm(within(folder, name), { force: true })
      throw error
    }
  }

  /** The handle refers to the folder that was checked, even if its path leads elsewhere by then. */
  async #open(): Promise<FileHandle> {
    const handle = await open(this.#path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW)
    const { uid, mode } = await handle.stat()
    if (uid === this.uid && (mode & OTHERS) === 0) return handle
    await handle.close()
    throw new Error('the folder is not the client’s own')
  }
}

const within = ({ fd }: FileHandle, name: string) => `/proc/self/fd/${fd}/${name}`
