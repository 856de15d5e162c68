import { randomUUID } from 'node:crypto'
import { chmod, chown, lstat, mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * Folders for the files of one browser, the browser's and ours.
 *
 * As root, the browser runs under a user of its own, and a user who can write to a folder can put a link in place of a
 * file that we read. So the browser can change nothing that we write, and no folder on the way to it: it owns only the
 * folders that it writes to, each one level below a folder of ours that it can only traverse. No other user has access:
 * the group is its own.
 */
export interface BrowserFolders {
  /** Ours, traversable by the browser: contains the others. */
  readonly dir: string
  /** The browser's: its home and settings. */
  readonly home: string
  /** The browser's. */
  readonly profile: string
  /** The browser's: downloads, each under its guid. */
  readonly downloads: string
  /** The browser's: temporary files. */
  readonly temporary: string
  /** Ours, traversable by the browser: files to upload to pages. */
  readonly uploads: string
  /** Ours alone: all files of recordings, Playwright's and ours. */
  readonly recordings: string
}

const PASS_THROUGH = 0o710

/**
 * `uid`: user id of the browser; null: it runs as our own user. If a step fails, removes the folders created before it.
 */
export async function makeBrowserFolders(parent: string, uid: number | null): Promise<BrowserFolders> {
  await ownParent(parent)
  const dir = join(parent, randomUUID().slice(0, 13))
  const below = (name: string) => join(dir, name)
  const folders: BrowserFolders = {
    dir,
    home: below('home'),
    profile: below('profile'),
    downloads: below('downloads'),
    temporary: below('tmp'),
    uploads: below('uploads'),
    recordings: below('recordings'),
  }
  try {
    const { home, profile, downloads, temporary, uploads, recordings } = folders
    for (const folder of [dir, uploads]) {
      await mkdir(folder, { mode: 0o700 })
      if (uid === null) continue
      await chown(folder, process.getuid!(), uid)
      // Set explicitly: the umask reduces the mode passed to mkdir.
      await chmod(folder, PASS_THROUGH)
    }
    for (const folder of [home, profile, downloads, temporary]) {
      await mkdir(folder, { mode: 0o700 })
      if (uid !== null) await chown(folder, uid, uid)
    }
    await mkdir(recordings, { mode: 0o700 })
    return folders
  } catch (error) {
    await rm(dir, { recursive: true, force: true })
    throw error
  }
}

/**
 * The system's temporary folder is writable to all users: a directory that another user created there could be changed
 * by that user at any time.
 */
async function ownParent(parent: string): Promise<void> {
  await mkdir(parent, { recursive: true, mode: 0o711 })
  const stats = await lstat(parent)
  if (!stats.isDirectory() || (process.getuid && stats.uid !== process.getuid())) {
    throw new Error(`${parent} belongs to another user: remove it`)
  }
  // Traversable but not listable: browsers run under other users.
  await chmod(parent, 0o711)
}
