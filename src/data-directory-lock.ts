import type { DatabaseSync } from 'node:sqlite'
import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { StartupFailed } from './startup-failed.ts'

/** The holder of a data directory, for people and for commands that then use the running server. */
export interface LockHolder {
  pid: number
  /** URL of its server; null while it starts, or for a command. */
  url: string | null
}

/** The data directory is already open, in another process or in this one. */
export class DataDirectoryLocked extends StartupFailed {
  readonly holder: LockHolder | null

  constructor(path: string, holder: LockHolder | null) {
    const who = holder ? `process ${holder.pid}${holder.url ? `, which serves ${holder.url}` : ''}` : 'another process'
    super(`The data directory ${path} is in use by ${who}: stop that, or set TABWIRE_DATA_DIR to another directory.`)
    this.holder = holder
  }
}

/** SQLite's primary code for "somebody else has the lock". */
const SQLITE_BUSY = 5

/**
 * SQLite takes the lock in steps, in which processes that start at the same time can be in each other's way: without a
 * wait, none of them might get it. Who has it keeps it, so the others wait in vain, and not for long.
 */
const CONTENTION_MS = 250

/**
 * Node cannot lock a file, but its SQLite can: an exclusive transaction on an empty database, never committed. The
 * kernel holds that lock for the process and releases it when the process ends in any way. So there is no stale lock to
 * detect by a pid that another process may have by now, and no race between two processes that replace it; a file
 * created exclusively (`wx`) has both problems, and an abstract socket is not visible from another container that
 * shares the volume.
 */
export function takeKernelLock(file: string): DatabaseSync | null {
  const database = new (loadSqlite().DatabaseSync)(file, { timeout: CONTENTION_MS })
  try {
    database.exec('BEGIN EXCLUSIVE')
    return database
  } catch (error) {
    database.close()
    if (error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY) return null
    throw error
  }
}

/** Older versions of Node print an experimental warning for the module to standard error. */
function loadSqlite() {
  const emitWarning = process.emitWarning
  process.emitWarning = () => {}
  try {
    return process.getBuiltinModule('node:sqlite')
  } finally {
    process.emitWarning = emitWarning
  }
}

const noteOf = (path: string) => join(path, 'lock')

/** The lock holder's note about itself. It does not prove that the lock is still held. */
export async function readLockHolder(path: string): Promise<LockHolder | null> {
  try {
    const { pid, url } = JSON.parse(await readFile(noteOf(path), 'utf8')) as Partial<LockHolder>
    return typeof pid === 'number' ? { pid, url: typeof url === 'string' ? url : null } : null
  } catch {
    // None, or one that is just being replaced: the note is only informative, the kernel's lock is authoritative.
    return null
  }
}

export interface DataDirectoryLock {
  /** Records the URL of this process's server, for other processes. */
  readonly announce: (url: string) => Promise<void>
  readonly release: () => Promise<void>
}

/** Locks a data directory for this process, or throws DataDirectoryLocked. */
export async function lockDataDirectory(path: string): Promise<DataDirectoryLock> {
  const lock = takeKernelLock(join(path, 'lock.sqlite'))
  if (!lock) throw new DataDirectoryLocked(path, await readLockHolder(path))

  const note = async (holder: LockHolder) => {
    const draft = `${noteOf(path)}.new`
    await writeFile(draft, `${JSON.stringify(holder)}\n`, { mode: 0o600 })
    await rename(draft, noteOf(path))
  }
  let released: Promise<void> | undefined
  const release = async () => {
    try {
      await rm(noteOf(path), { force: true })
    } finally {
      lock.close()
    }
  }
  try {
    await note({ pid: process.pid, url: null })
  } catch (error) {
    lock.close()
    throw error
  }
  return {
    announce: (url) => note({ pid: process.pid, url }),
    release: () => (released ??= release()),
  }
}
