import { mkdir } from 'node:fs/promises'
import type { Config } from '../config.ts'
import { lockDataDirectory } from '../data-directory-lock.ts'

/** Runs work that opens the database. The embedded one must have one process only; a server takes care of itself. */
export async function withDataDirectoryLocked<T>(config: Config, work: () => Promise<T>): Promise<T> {
  if (config.database.kind === 'server') return work()
  await mkdir(config.dataDir, { recursive: true, mode: 0o700 })
  const lock = await lockDataDirectory(config.dataDir)
  try {
    return await work()
  } finally {
    await lock.release()
  }
}
