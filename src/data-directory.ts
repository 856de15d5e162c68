import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chmod, mkdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { lockDataDirectory, type DataDirectoryLock } from './data-directory-lock.ts'
import { isSystemError, keepOnce } from './durable-file.ts'
import { identifyMachine, type CopiedFrom, type MachineIdentity } from './machine-identity.ts'
import { openSigningKeys } from './signing-keys-file.ts'
import { StartupFailed } from './startup-failed.ts'

interface AdminKey {
  secret: string
  /** Where people find it; null if they provided it themselves (TABWIRE_API_KEY). */
  file: string | null
}

/** The directory of this installation's persistent data, locked for this process until closed. */
export interface DataDirectory {
  readonly path: string
  /** UUID generated once: identifies the installation that a session ran on. A copy of the directory gets its own. */
  readonly machineId: string
  /** See MachineIdentity. */
  readonly copiedFrom: CopiedFrom | null
  readonly adminKey: AdminKey
  /** Current secrets for signing links: the first signs, all of them verify. */
  readonly signingKeys: () => readonly string[]
  /** Secrets for encrypting profiles: the first encrypts, all of them decrypt. */
  readonly profileKeys: readonly string[]
  /** Records the URL of this process's server for other processes. */
  readonly announce: (url: string) => Promise<void>
  readonly close: () => Promise<void>
}

/** Values from the environment; null: generated once and stored in the directory. */
export interface GivenSecrets {
  signingKeys: readonly string[] | null
  profileKeys: readonly string[] | null
}

const NO_SECRETS: GivenSecrets = { signingKeys: null, profileKeys: null }

const SECRET = /^[\x21-\x7e]{16,256}$/

/** Path of the file with the first admin key, if it was generated. */
export const adminKeyFile = (dataDir: string): string => join(dataDir, 'api-key')

/**
 * Opens the data directory, and creates missing parts: the directory (mode 0700), its machine id and its secrets.
 * Throws DataDirectoryLocked while another process has it open, and StartupFailed if it cannot be used.
 */
export async function openDataDirectory(
  path: string,
  givenKey: string | null,
  given: GivenSecrets = NO_SECRETS,
): Promise<DataDirectory> {
  let lock: DataDirectoryLock | undefined
  let identity: MachineIdentity | undefined
  try {
    // An existing directory keeps its mode: it may be shared on purpose. Each secret in it has its own.
    await makeDirectory(path)
    lock = await lockDataDirectory(path)
    identity = await identifyMachine(path)
    const { machineId, copiedFrom } = identity
    const adminKey = givenKey ? { secret: givenKey, file: null } : await keepAdminKey(path)
    const { signingKeys: givenSigningKeys } = given
    const signingKeys = givenSigningKeys ? () => givenSigningKeys : await openSigningKeys(path)
    const profileKeys = given.profileKeys ?? [await keepSecret(join(path, 'profile-key'))]
    const { announce } = lock
    const close = () => releaseBoth(identity, lock)
    return { path, machineId, copiedFrom, adminKey, signingKeys, profileKeys, announce, close }
  } catch (error) {
    await releaseBoth(identity, lock)
    throw explain(path, error)
  }
}

/** The machine id is released first: the next process that locks the directory finds its id free. */
async function releaseBoth(identity: MachineIdentity | undefined, lock: DataDirectoryLock | undefined): Promise<void> {
  try {
    await identity?.release()
  } finally {
    await lock?.release()
  }
}

/**
 * Creates the directory and its parents, one by one. Node's own `recursive` loops forever if a file system returns
 * ENOENT for every mkdir, as /proc does.
 */
export async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 })
  } catch (error) {
    const code = isSystemError(error) ? error.code : undefined
    if (code === 'EEXIST' && (await stat(path)).isDirectory()) return
    if (code !== 'ENOENT' || existsSync(dirname(path))) throw error
    await makeDirectory(dirname(path))
    await mkdir(path, { mode: 0o700 })
  }
}

async function keepAdminKey(path: string): Promise<AdminKey> {
  const file = adminKeyFile(path)
  return { secret: await keepSecret(file, 'tw_'), file }
}

async function keepSecret(file: string, prefix = ''): Promise<string> {
  const secret = await keepOnce(file, SECRET, () => `${prefix}${randomBytes(32).toString('base64url')}`)
  // It may have been written by hand, or restored from a backup.
  await chmod(file, 0o600)
  return secret
}

function explain(path: string, error: unknown): unknown {
  if (error instanceof StartupFailed) return error
  const code = isSystemError(error) ? error.code : undefined
  const cause = { cause: error }
  switch (code) {
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
    case 'ENOENT':
      return new StartupFailed(
        `The data directory ${path} may not be written: give this user the right to it, or set TABWIRE_DATA_DIR.`,
        cause,
      )
    case 'EEXIST':
    case 'ENOTDIR':
      return new StartupFailed(`The data directory ${path} is not a directory: set TABWIRE_DATA_DIR to one.`, cause)
    case 'ENOSPC':
    case 'EDQUOT':
      return new StartupFailed(`There is no space left for the data directory ${path}.`, cause)
    case 'ERR_SQLITE_ERROR':
      return new StartupFailed(
        `The data directory ${path} cannot be locked (${(error as Error).message}): put it on a local file system that this user may write.`,
        cause,
      )
    default:
      return error
  }
}
