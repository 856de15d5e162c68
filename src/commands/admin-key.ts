import { readFile } from 'node:fs/promises'
import type { Config } from '../config.ts'
import { adminKeyFile } from '../data-directory.ts'
import { StartupFailed } from '../startup-failed.ts'

/** The admin key of the server that runs on the data directory. Rejects with StartupFailed. */
export async function readAdminKey(config: Config): Promise<string> {
  if (config.apiKey) return config.apiKey
  const file = adminKeyFile(config.dataDir)
  try {
    return (await readFile(file, 'utf8')).trim()
  } catch (error) {
    throw new StartupFailed(
      `A server runs on ${config.dataDir}, but its admin key is not in ${file}: set TABWIRE_API_KEY to it.`,
      { cause: error },
    )
  }
}
