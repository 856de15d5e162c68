import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** All files below a folder, the database among them, in one text. */
export async function contentOf(folder: string): Promise<string> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  return (await Promise.all(files.map(readIfThere))).join('\n')
}

/** A database that is running removes files of its own in the meantime. */
async function readIfThere(file: string): Promise<string> {
  try {
    return await readFile(file, 'latin1')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''
    throw error
  }
}
