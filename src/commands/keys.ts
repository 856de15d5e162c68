import { loadConfig } from '../config.ts'
import { DataDirectoryLocked } from '../data-directory-lock.ts'
import { FIRST_OWNER } from '../domain/keys/api-keys.ts'
import { createLogger } from '../logger.ts'
import { SCOPES, type Scope } from '../ports/access/scope.ts'
import { readAdminKey } from './admin-key.ts'
import { withDataDirectoryLocked } from './data-directory-locked.ts'
import type { KeyAdmin, ListedKey } from './key-admin.ts'
import { keysInDatabase } from './keys-in-database.ts'
import { keysThroughServer } from './keys-through-server.ts'
import { print, printNotice } from './stdio.ts'
import { readOptions, UsageError, type Command } from './cli.ts'

const WHERE = `The keys are those of the database in DATABASE_URL, else of TABWIRE_DATA_DIR. While a server runs on that data
directory, the command asks the server, with the admin key in <data dir>/api-key or TABWIRE_API_KEY.`

const DAY_MS = 24 * 60 * 60 * 1000

export const createKey: Command = {
  name: 'keys create',
  summary: 'create an API key and print its secret',
  help: `Usage: tabwire keys create --name <text> [--owner <owner>] --scope <scope> … [--expires-in-days <days>]

Creates an API key. Its secret is the only text on standard output, and is shown once; only a hash is stored.

  --name <text>             display name, 1 to 100 characters
  --owner <owner>           owner of the key (default: ${FIRST_OWNER})
  --scope <scope>           ${SCOPES.join(', ')}; repeat it for several
  --expires-in-days <days>  1 to 3650; without it the key does not expire

${WHERE}`,

  async run(args) {
    const { values } = readOptions(args, {
      name: { type: 'string' },
      owner: { type: 'string', default: FIRST_OWNER },
      scope: { type: 'string', multiple: true, default: [] },
      'expires-in-days': { type: 'string' },
    })
    if (!values.name) throw new UsageError('--name is missing')
    if (values.scope.length === 0) throw new UsageError('--scope is missing')
    const key = {
      name: values.name,
      owner: values.owner,
      scopes: [...new Set(values.scope.map(readScope))],
      expiresAt: values['expires-in-days'] === undefined ? null : readExpiry(values['expires-in-days']),
    }
    const { id, secret } = await withKeyRing((keys) => keys.create(key))
    printNotice(`Created the key ${id} of ${key.owner}: ${key.scopes.join(', ')}.`)
    print(secret)
    return 0
  },
}

export const listKeys: Command = {
  name: 'keys list',
  summary: 'list the API keys',
  help: `Usage: tabwire keys list [--json]

Lists the API keys of every owner, oldest first, revoked and expired ones too; never their secrets.

  --json  one JSON object a line

${WHERE}`,

  async run(args) {
    const { values } = readOptions(args, { json: { type: 'boolean', default: false } })
    const keys = await withKeyRing((ring) => ring.list())
    if (values.json) for (const key of keys) print(JSON.stringify(key))
    else for (const line of asTable(keys)) print(line)
    return 0
  },
}

export const revokeKey: Command = {
  name: 'keys revoke',
  summary: 'revoke an API key',
  help: `Usage: tabwire keys revoke <id>

Revokes an API key for good; what was opened with it is closed. The id is the one that \`tabwire keys list\` and the
API show.

${WHERE}`,

  async run(args) {
    const { positionals } = readOptions(args, {}, ['id'])
    const key = await withKeyRing((keys) => keys.revoke(positionals[0]!))
    print(`Revoked the key ${key.id} (${key.name}) of ${key.owner}.`)
    return 0
  },
}

function readScope(text: string): Scope {
  const scope = SCOPES.find((known) => known === text.toUpperCase())
  if (!scope) throw new UsageError(`--scope ${text} is none of ${SCOPES.join(', ')}`)
  return scope
}

function readExpiry(text: string): Date {
  const days = /^\d{1,4}$/.test(text) ? Number(text) : 0
  if (days < 1 || days > 3650) throw new UsageError('--expires-in-days must be a whole number from 1 to 3650')
  return new Date(Date.now() + days * DAY_MS)
}

/** The keys in the database itself, or through the server that has it open. */
async function withKeyRing<T>(work: (keys: KeyAdmin) => Promise<T>): Promise<T> {
  const config = loadConfig(process.env)
  // Only problems: stdout is for this command's own output.
  const logger = createLogger(config.logLevel === 'silent' ? 'silent' : 'warn')
  try {
    return await withDataDirectoryLocked(config, async () => {
      const { openStorage } = await import('../configured-adapters.ts')
      const store = await openStorage(config, logger)
      try {
        return await work(keysInDatabase(store, logger))
      } finally {
        await store.close()
      }
    })
  } catch (error) {
    if (error instanceof DataDirectoryLocked && error.holder?.url) {
      return work(keysThroughServer(error.holder.url, await readAdminKey(config)))
    }
    throw error
  }
}

function asTable(keys: readonly ListedKey[]): string[] {
  const day = (date: Date | null) => (date ? date.toISOString().slice(0, 16).replace('T', ' ') : '-')
  const rows = [
    ['ID', 'NAME', 'OWNER', 'SCOPES', 'CREATED', 'LAST USED', 'EXPIRES', 'REVOKED'],
    ...keys.map((key) => [
      key.id,
      key.name,
      key.owner,
      key.scopes.join(' '),
      day(key.createdAt),
      day(key.lastUsedAt),
      day(key.expiresAt),
      day(key.revokedAt),
    ]),
  ]
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  )
}
