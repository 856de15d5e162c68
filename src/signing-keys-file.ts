import { randomBytes } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { chmod, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isSystemError, keepOnce, writeWhole } from './durable-file.ts'
import { StartupFailed } from './startup-failed.ts'

/** Secrets for signing links, one per line, the newest first. */
const SECRETS = /^[\x21-\x2b\x2d-\x7e]{32,256}(\n[\x21-\x2b\x2d-\x7e]{32,256})*$/

/** Max number of secrets: links signed with older ones have long expired, unless keys are rotated every hour. */
const MAX_KEYS = 100

/** Min interval at which a running server checks whether `tabwire signing-keys rotate` has changed the file. */
const LOOK_EVERY_MS = 1000

const fileIn = (dataDir: string) => join(dataDir, 'signing-keys')
const newSecret = () => randomBytes(32).toString('base64url')

/**
 * The secrets of the file in the data directory, created on first use. The returned function reads the current ones: a
 * key that another process added is used within a second, without a restart.
 */
export async function openSigningKeys(dataDir: string): Promise<() => readonly string[]> {
  const file = fileIn(dataDir)
  let secrets = (await keepOnce(file, SECRETS, newSecret)).split('\n')
  await chmod(file, 0o600)
  let version = versionOf(file)
  let lookedAt = Date.now()
  return () => {
    const now = Date.now()
    if (Math.abs(now - lookedAt) < LOOK_EVERY_MS) return secrets
    lookedAt = now
    const found = versionOf(file)
    if (found === null || found === version) return secrets
    const text = readFileSync(file, 'utf8').trim()
    // A file that is damaged while the server runs does not invalidate links; the next start reports it.
    if (SECRETS.test(text)) secrets = text.split('\n')
    version = found
    return secrets
  }
}

/** Adds a new secret before those in the file, or replaces them. Returns the resulting number. */
export async function rotateSigningKeys(dataDir: string, options: { dropOld: boolean }): Promise<number> {
  const file = fileIn(dataDir)
  const old = await readFile(file, 'utf8').catch((error: unknown) => {
    if (isSystemError(error) && error.code === 'ENOENT') return ''
    throw error
  })
  const kept = options.dropOld || old.trim() === '' ? [] : old.trim().split('\n')
  if (kept.length > 0 && !SECRETS.test(kept.join('\n'))) {
    throw new StartupFailed(`${file} is damaged: restore it, or rotate with --drop-old.`)
  }
  const secrets = [newSecret(), ...kept].slice(0, MAX_KEYS)
  await writeWhole(file, secrets.join('\n'))
  return secrets.length
}

/** Changes whenever the file is replaced; null if there is none. */
function versionOf(file: string): string | null {
  const found = statSync(file, { throwIfNoEntry: false, bigint: true })
  return found ? `${found.ino}:${found.mtimeNs}:${found.size}` : null
}
