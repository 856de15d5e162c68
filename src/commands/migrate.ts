import { loadConfig } from '../config.ts'
import { createLogger } from '../logger.ts'
import { withDataDirectoryLocked } from './data-directory-locked.ts'
import { print } from './stdio.ts'
import { readOptions, type Command } from './cli.ts'

export const migrate: Command = {
  name: 'migrate',
  summary: 'bring the database up to date, without serving',
  help: `Usage: tabwire migrate

Migrates the database and exits. The server does so too when it starts. The database is the one
in DATABASE_URL, else the embedded one in TABWIRE_DATA_DIR, which must not be in use by a running server.`,

  async run(args) {
    readOptions(args, {})
    const config = loadConfig(process.env)
    const { migrateDatabase } = await import('../app.ts')
    await withDataDirectoryLocked(config, () => migrateDatabase(config, createLogger(config.logLevel)))
    print('The database is up to date.')
    return 0
  },
}
