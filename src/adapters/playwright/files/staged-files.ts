import { createWriteStream } from 'node:fs'
import { chmod, chown, mkdir, mkdtemp, rm, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { GivenFile } from '../../../ports/browser/action.ts'
import type { OwnDirectory, OwnFile } from './own-directory.ts'

const NAME_LENGTH = 200
const TRAVERSED_BY_GROUP = 0o010

/**
 * Writes the files to a folder that the browser, which runs as another user, can read; they are removed with its
 * directory. The browser owns none of it, or it could put a link in place of the next file. Leaves nothing behind if it
 * rejects: a client may try again and again.
 */
export async function stageFiles(
  files: readonly GivenFile[],
  uploadsDir: string,
  signal: AbortSignal,
): Promise<string[]> {
  const reader = await readerOf(uploadsDir)
  const folder = await reader.share(await mkdtemp(join(uploadsDir, 'step-')))
  try {
    const paths: string[] = []
    for (const [index, file] of files.entries()) {
      // Files with the same name need separate folders.
      const own = join(folder, String(index))
      await mkdir(own, { mode: 0o700 })
      const path = join(await reader.share(own), safeName(file.name))
      await pipeline(await file.open(signal), createWriteStream(path, { mode: 0o600 }), { signal })
      await reader.shareFile(path)
      paths.push(path)
    }
    return paths
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    throw error
  }
}

/** The same for a client's directory. Returns the path of the copy. Leaves nothing behind if it rejects. */
export async function stageDirectory(
  directory: OwnDirectory,
  files: readonly OwnFile[],
  uploadsDir: string,
  signal: AbortSignal,
): Promise<string> {
  const reader = await readerOf(uploadsDir)
  const folder = await reader.share(await mkdtemp(join(uploadsDir, 'step-')))
  try {
    const root = join(folder, directory.name)
    await mkdir(root, { mode: 0o700 })
    const made = new Set([await reader.shareListed(root)])
    for (const file of files) {
      let above = root
      for (const name of file.segments.slice(0, -1)) {
        above = join(above, name)
        if (made.has(above)) continue
        await mkdir(above, { mode: 0o700 })
        made.add(await reader.shareListed(above))
      }
      const path = join(above, file.segments.at(-1)!)
      await directory.copy(file, path, signal)
      await reader.shareFile(path)
    }
    return root
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    throw error
  }
}

/** Lets the browser read what is written below the folder, as it may read the folder itself. */
async function readerOf(uploadsDir: string) {
  const { uid, gid, mode } = await stat(uploadsDir)
  const shareAs = async (folder: string, folderMode: number) => {
    await chown(folder, uid, gid)
    await chmod(folder, folderMode)
    return folder
  }
  return {
    share: (folder: string) => shareAs(folder, mode),
    /** For a folder whose files the browser has to find by itself. */
    shareListed: (folder: string) => shareAs(folder, mode | ((mode & TRAVERSED_BY_GROUP) << 2)),
    async shareFile(path: string): Promise<void> {
      await chown(path, uid, gid)
      await chmod(path, 0o640)
    },
  }
}

function safeName(name: string): string {
  const plain = basename(name.replace(/[\0\\]/g, '_')).slice(-NAME_LENGTH)
  return plain === '' || plain === '.' || plain === '..' ? 'file' : plain
}
