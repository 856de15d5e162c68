import { createWriteStream } from 'node:fs'
import { chmod, chown, mkdir, mkdtemp, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { GivenFile } from '../../../ports/action.ts'

const NAME_LENGTH = 200

/**
 * Writes the files to a folder that the browser, which runs as another user, can read; they are removed with its
 * directory. The browser owns none of it, or it could put a link in place of the next file.
 */
export async function stageFiles(
  files: readonly GivenFile[],
  uploadsDir: string,
  signal: AbortSignal,
): Promise<string[]> {
  const { uid, gid, mode } = await stat(uploadsDir)
  const share = async (folder: string) => {
    await chown(folder, uid, gid)
    await chmod(folder, mode)
    return folder
  }
  const folder = await share(await mkdtemp(join(uploadsDir, 'step-')))
  const paths: string[] = []
  for (const [index, file] of files.entries()) {
    // Files with the same name need separate folders.
    const own = join(folder, String(index))
    await mkdir(own, { mode: 0o700 })
    const path = join(await share(own), safeName(file.name))
    await pipeline(await file.open(signal), createWriteStream(path, { mode: 0o600 }), { signal })
    await chown(path, uid, gid)
    await chmod(path, 0o640)
    paths.push(path)
  }
  return paths
}

function safeName(name: string): string {
  const plain = basename(name.replace(/[\0\\]/g, '_')).slice(-NAME_LENGTH)
  return plain === '' || plain === '.' || plain === '..' ? 'file' : plain
}
