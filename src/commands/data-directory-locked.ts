import type { Config } from '../config.ts'
import { lockDataDirectory } from '../data-directory-lock.ts'
import { makeDirectory } from '../data-directory.ts'
import { useTempDirectory } from '../temp-directory.ts'

/**
 * Runs work that opens the database. Only one process may open the embedded one; a PostgreSQL server handles
 * concurrency itself.
 */
export async function withDataDirectoryLocked<T>(config: Config, work: () => Promise<T>): Promise<T> {
  if (config.database.kind === 'server') return work()
  await useTempDirectory(config.tempDir)
  await makeDirectory(config.dataDir)
  const lock = await lockDataDirectory(config.dataDir)
  try {
    return await work()
  } finally {
    await lock.release()
  }
}
