import { randomUUID } from 'node:crypto'
import { chmod, chown, lstat, mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * Where one browser and we keep what belongs to it.
 *
 * As root, the browser runs under a user of its own, and whoever may write to a folder may put a link where we look for
 * a file. So nothing that we write, and no folder on the way to it, is the browser's to change: it owns the folders that
 * it writes to itself, one level below one of ours, which it only passes through. Nobody else does: the group is its own.
 */
export interface BrowserFolders {
  /** Ours, and the browser may pass through: it holds the others. */
  readonly dir: string
  /** The browser's: its home and settings. */
  readonly home: string
  /** The browser's. */
  readonly profile: string
  /** The browser's: downloads, each under its guid. */
  readonly downloads: string
  /** The browser's: temporary files. */
  readonly temporary: string
  /** Ours, and the browser may pass through: files that pages shall be given. */
  readonly uploads: string
  /** Ours alone: all that Playwright and we write of recordings. */
  readonly recordings: string
}

const PASS_THROUGH = 0o710

/** `uid`: of the browser; null: it runs as ourselves. What was made is removed when the rest cannot be. */
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
      // In so many words: what mkdir is told, the umask takes from.
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

/** The temporary folder is everybody's: one that another user put there would be theirs to change under us. */
async function ownParent(parent: string): Promise<void> {
  await mkdir(parent, { recursive: true, mode: 0o711 })
  const stats = await lstat(parent)
  if (!stats.isDirectory() || (process.getuid && stats.uid !== process.getuid())) {
    throw new Error(`${parent} is somebody else's: remove it`)
  }
  // It is passed through, not listed: browsers run under other users.
  await chmod(parent, 0o711)
}
