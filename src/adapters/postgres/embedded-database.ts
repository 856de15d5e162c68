import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
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
}

/** How long the database may take to write everything down when it is asked to end. */
const CLOSE_DEADLINE_MS = 15_000

/** A socket's path has room for about a hundred characters (104 on macOS), the rest of its name takes forty. */
const LONGEST_PARENT = 60

const PREFIX = 'tabwire-db-'

/**
 * Of its own and mode 0700, for whoever reaches the socket reaches the data. The name tells whose it is, so that what a
 * killed server left is removed by the next.
 */
function createSocketDirectory(): string {
  const parent = tmpdir().length <= LONGEST_PARENT ? tmpdir() : '/tmp'
  for (const name of readdirSync(parent)) {
    const pid = name.startsWith(PREFIX) ? Number.parseInt(name.slice(PREFIX.length), 10) : Number.NaN
    if (Number.isInteger(pid) && !isRunning(pid)) rmSync(join(parent, name), { recursive: true, force: true })
  }
  return mkdtempSync(join(parent, `${PREFIX}${process.pid}-`))
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
  const socketDirectory = createSocketDirectory()
  const removeSocketDirectory = () => rmSync(socketDirectory, { recursive: true, force: true })
  const port = 5432
  const workerData: EmbeddedWorkerData = { directory, socketPath: join(socketDirectory, `.s.PGSQL.${port}`) }
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
  return {
    directory,
    socketDirectory,
    port,
    close: () => (closing ??= end()),
  }
}
