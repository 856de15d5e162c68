import { open, readFile, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { StartupFailed } from './startup-failed.ts'

/** Reads the text of a file, or creates it on first use. Throws StartupFailed if it is damaged. */
export async function keepOnce(file: string, valid: RegExp, make: () => string): Promise<string> {
  let text: string
  try {
    text = (await readFile(file, 'utf8')).trim()
  } catch (error) {
    if (!isSystemError(error) || error.code !== 'ENOENT') throw error
    text = make()
    await writeWhole(file, text)
  }
  if (!valid.test(text)) {
    throw new StartupFailed(`${file} is damaged: restore it, or delete it to have a new one created.`)
  }
  return text
}

/** Writes the text atomically and durably, readable by this user only. */
export async function writeWhole(file: string, text: string): Promise<void> {
  const draft = await open(`${file}.new`, 'w', 0o600)
  try {
    await draft.writeFile(`${text}\n`)
    await draft.sync()
  } finally {
    await draft.close()
  }
  await rename(`${file}.new`, file)
  const directory = await open(dirname(file))
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

export function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error
}
