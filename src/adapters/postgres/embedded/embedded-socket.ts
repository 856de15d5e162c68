import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A socket's path has a limit of about a hundred characters (104 on macOS); the rest of the name takes forty. */
const LONGEST_PARENT = 60

const PREFIX = 'tabwire-db-'
/** Part of the name of the socket only; nothing listens on a TCP port. */
export const PORT = 5432
export const SOCKET_NAME = `.s.PGSQL.${PORT}`

/** A directory this young may belong to a server that does not listen yet. */
const YOUNG_MS = 60_000

/**
 * A separate directory with mode 0700, since access to the socket is access to the data. The name identifies the
 * process, so that the next server removes what a killed one left behind.
 */
export async function createSocketDirectory(): Promise<string> {
  const parent = tmpdir().length <= LONGEST_PARENT ? tmpdir() : '/tmp'
  for (const name of readdirSync(parent)) {
    const pid = name.startsWith(PREFIX) ? Number.parseInt(name.slice(PREFIX.length), 10) : Number.NaN
    if (!Number.isInteger(pid) || isRunning(pid)) continue
    if (await isAbandoned(join(parent, name))) rmSync(join(parent, name), { recursive: true, force: true })
  }
  return mkdtempSync(join(parent, `${PREFIX}${process.pid}-`))
}

/** Containers may share the directory but not the processes: a pid that does not exist here may still be in use. */
async function isAbandoned(directory: string): Promise<boolean> {
  const socketPath = join(directory, SOCKET_NAME)
  try {
    if (!existsSync(socketPath)) return Date.now() - statSync(directory).mtimeMs > YOUNG_MS
  } catch {
    // It was removed meanwhile.
    return false
  }
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const socket = connect(socketPath)
  socket.once('connect', () => resolve(false))
  socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'))
  const abandoned = await promise
  socket.destroy()
  return abandoned
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    // Another user's process cannot be signaled, but it exists, and its directory must be kept.
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}
