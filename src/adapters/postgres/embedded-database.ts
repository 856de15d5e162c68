import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'

export interface EmbeddedWorkerData {
  directory: string
  socketPath: string
}

export type EmbeddedWorkerEvent = { kind: 'ready' } | { kind: 'failed'; reason: string }

export interface EmbeddedDatabase {
  /** Where the data lies. */
  directory: string
  /** What pg takes for a host: the directory of the Unix socket. */
  socketDirectory: string
  /** Part of the socket's name only; nothing listens on a TCP port. */
  port: number
  close(): Promise<void>
  /** Ends it in the midst of whatever it does; as after a crash, the next start finds everything that was committed. */
  kill(): Promise<void>
}

/** How long the database may take to write everything down when it is asked to end: less than an orderly end may. */
const CLOSE_DEADLINE_MS = 3_000

/** A socket's path has room for about a hundred characters (104 on macOS), the rest of its name takes forty. */
const LONGEST_PARENT = 60

const PREFIX = 'tabwire-db-'
const PORT = 5432
const SOCKET_NAME = `.s.PGSQL.${PORT}`

/** A directory this young may belong to a server that does not listen yet. */
const YOUNG_MS = 60_000

/**
 * Of its own and mode 0700, for whoever reaches the socket reaches the data. The name tells whose it is, so that what a
 * killed server left is removed by the next.
 */
async function createSocketDirectory(): Promise<string> {
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

/**
 * Starts PGlite in a thread of its own behind a Unix socket. `onCrash` is called once if the thread ends before `close`.
 */
export async function startEmbeddedDatabase(
  dataDir: string,
  onCrash: (error: Error) => void,
): Promise<EmbeddedDatabase> {
  const directory = join(dataDir, 'database')
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  const socketDirectory = await createSocketDirectory()
  const removeSocketDirectory = () => rmSync(socketDirectory, { recursive: true, force: true })
  const workerData: EmbeddedWorkerData = { directory, socketPath: join(socketDirectory, SOCKET_NAME) }
  // The file lies beside this one, as .ts in the repository and as .js in the package.
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
  const worker = new Worker(new URL(`./embedded-worker.${extension}`, import.meta.url), { workerData })
  let closing: Promise<void> | null = null
  const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()))

  try {
    await new Promise<void>((resolve, reject) => {
      worker.once('error', reject)
      worker.once('exit', () => reject(new Error('its thread ended while starting')))
      worker.once('message', (event: EmbeddedWorkerEvent) => {
        if (event.kind === 'ready') resolve()
        else reject(new Error(event.reason))
      })
    })
  } catch (error) {
    await worker.terminate()
    removeSocketDirectory()
    throw error
  }

  const crashed = new Promise<Error>((resolve) => {
    worker.once('error', resolve)
    void exited.then(() => resolve(new Error('its thread ended')))
  })
  void crashed.then((error) => {
    if (closing) return
    removeSocketDirectory()
    onCrash(error)
  })

  const end = async () => {
    const deadline = setTimeout(() => void worker.terminate(), CLOSE_DEADLINE_MS)
    worker.postMessage('close')
    await exited
    clearTimeout(deadline)
    removeSocketDirectory()
  }
  const kill = async () => {
    await worker.terminate()
    await exited
    removeSocketDirectory()
  }
  return {
    directory,
    socketDirectory,
    port: PORT,
    close: () => (closing ??= end()),
    kill: () => (closing ??= kill()),
  }
}
