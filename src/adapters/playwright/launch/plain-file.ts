import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import type { Readable } from 'node:stream'

/**
 * The browser writes downloads under a user of its own, and we read them with our rights: a symbolic or hard link would
 * reveal a file of ours, and a pipe would never end.
 */
export async function openPlainFile(path: string): Promise<Readable> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  try {
    const stats = await file.stat()
    if (!stats.isFile() || stats.nlink !== 1) throw new Error('not a regular file, or it has several links')
    return file.createReadStream()
  } catch (error) {
    await file.close()
    throw error
  }
}
