import { constants, createWriteStream } from 'node:fs'
import { open, opendir, type FileHandle } from 'node:fs/promises'
import { posix } from 'node:path'
import { pipeline } from 'node:stream/promises'

/** Files and directories. */
const MAX_ENTRIES = 1_000
const MAX_LEVELS = 16
const MAX_NAME = 200

/** Why a directory is not given to a page, for people. */
export class DirectoryRefused extends Error {}

export interface OwnFile {
  /** Names of the directories below the given one, and its own. */
  segments: readonly string[]
  sizeBytes: number
}

/**
 * A directory of a client on this machine, with everything in it. It grants no rights: what does not belong to the
 * client's user is refused, and no link is followed, even if something else is at its path by then.
 */
export class OwnDirectory implements AsyncDisposable {
  readonly name: string
  readonly #root: FileHandle
  readonly #uid: number

  private constructor(name: string, root: FileHandle, uid: number) {
    this.name = name
    this.#root = root
    this.#uid = uid
  }

  /** `uid`: user id of the client's process. Null: it is no directory of that user. */
  static async open(path: string, uid: number): Promise<OwnDirectory | null> {
    const name = posix.basename(posix.normalize(path))
    if (!posix.isAbsolute(path) || name === '') return null
    const root = await open(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW).catch(() => null)
    if (root === null) return null
    if ((await root.stat()).uid === uid) return new OwnDirectory(name, root, uid)
    await root.close()
    return null
  }

  /** All files, those of directories below it included. Rejects with DirectoryRefused. */
  async files(): Promise<OwnFile[]> {
    const found: OwnFile[] = []
    await this.#list(this.#root, [], { count: 0, found })
    return found
  }

  /** `to`: a path where nothing is yet. Copies no more than the size that was listed. Rejects with DirectoryRefused. */
  async copy({ segments, sizeBytes }: OwnFile, to: string, signal: AbortSignal): Promise<void> {
    const handles: FileHandle[] = []
    try {
      let above = this.#root
      for (const [index, name] of segments.entries()) {
        above = await this.#open(above, segments.slice(0, index), name)
        handles.push(above)
      }
      if ((await above.stat()).size > sizeBytes) throw refused(segments, 'has changed')
      // A stream with `end: -1` would read everything.
      const source = sizeBytes === 0 ? [] : above.createReadStream({ autoClose: false, start: 0, end: sizeBytes - 1 })
      await pipeline(source, createWriteStream(to, { flags: 'wx', mode: 0o600 }), { signal })
    } finally {
      await Promise.all(handles.map((handle) => handle.close()))
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#root.close()
  }

  async #list(
    directory: FileHandle,
    above: readonly string[],
    seen: { count: number; found: OwnFile[] },
  ): Promise<void> {
    if (above.length >= MAX_LEVELS) throw refused(above, `is more than ${MAX_LEVELS} directories deep`)
    for await (const { name } of await opendir(within(directory, ''))) {
      seen.count += 1
      if (seen.count > MAX_ENTRIES) throw new DirectoryRefused(`it has more than ${MAX_ENTRIES} files and directories`)
      const segments = [...above, name]
      await using entry = await this.#open(directory, above, name)
      const stats = await entry.stat()
      if (stats.isDirectory()) await this.#list(entry, segments, seen)
      else seen.found.push({ segments, sizeBytes: stats.size })
    }
  }

  async #open(directory: FileHandle, above: readonly string[], name: string): Promise<FileHandle> {
    // Opening a pipe would wait for somebody who writes to it.
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
    const handle = await open(within(directory, name), flags).catch(() => null)
    if (handle === null) throw refused([...above, name], 'is a link, or cannot be read')
    const stats = await handle.stat()
    if (stats.uid === this.#uid && (stats.isFile() || stats.isDirectory())) return handle
    await handle.close()
    throw refused([...above, name], 'is not a file or directory of your own')
  }
}

const within = ({ fd }: FileHandle, name: string) => `/proc/self/fd/${fd}/${name}`

const refused = (segments: readonly string[], why: string) =>
  new DirectoryRefused(`${JSON.stringify(segments.join('/').slice(-MAX_NAME))} in it ${why}`)
