import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A socket's path has room for about a hundred characters (104 on macOS), the rest of its name takes forty. */
const LONGEST_PARENT = 60

const PREFIX = 'tabwire-db-'
/** Part of the name of the socket only; nothing listens on a TCP port. */
export const PORT = 5432
export const SOCKET_NAME = `.s.PGSQL.${PORT}`

/** A directory this young may belong to a server that does not listen yet. */
const YOUNG_MS = 60_000

/**
 * Of its own and mode 0700, for whoever reaches the socket reaches the data. The name tells whose it is, so that what a
 * killed server left is removed by the next.
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

/** Containers may share the directory but not the processes: one that nobody runs here may still be somebody's. */
async function isAbandoned(directory: string): Promise<boolean> {
  const socketPath = join(directory, SOCKET_NAME)
  try {
    if (!existsSync(socketPath)) return Date.now() - statSync(directory).mtimeMs > YOUNG_MS
  } catch {
    // It has been removed meanwhile.
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
    // Somebody else's process may not be signalled, but it is there, and its directory is none of ours.
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}
