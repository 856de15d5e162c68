import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'

export interface EmbeddedWorkerData {
  directory: string
  socketPath: string
}

export type EmbeddedWorkerEvent = { kind: 'ready' } | { kind: 'failed'; reason: string } | { kind: 'closed' }

export interface EmbeddedDatabase {
  /** Where the data lies. */
  directory: string
  /** What pg takes for a host: the directory of the Unix socket. */
  socketDirectory: string
  /** Part of the socket's name only; nothing listens on a TCP port. */
  port: number
  close(): Promise<void>
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
  // Of its own and mode 0700, for whoever reaches the socket reaches the data; short, for a socket's path has about a
  // hundred characters.
  const socketDirectory = mkdtempSync(join(tmpdir(), 'tw-db-'))
  const removeSocketDirectory = () => rmSync(socketDirectory, { recursive: true, force: true })
  const port = 5432
  const workerData: EmbeddedWorkerData = { directory, socketPath: join(socketDirectory, `.s.PGSQL.${port}`) }
  // The file lies beside this one, as .ts in the repository and as .js in the package.
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
  const worker = new Worker(new URL(`./embedded-worker.${extension}`, import.meta.url), { workerData })
  let closing = false
  const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()))

  try {
    await new Promise<void>((resolve, reject) => {
      worker.once('error', reject)
      worker.once('exit', () => reject(new Error('its thread ended while starting')))
      worker.once('message', (event: EmbeddedWorkerEvent) => {
        if (event.kind === 'ready') resolve()
        else reject(new Error(event.kind === 'failed' ? event.reason : 'its thread ended while starting'))
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

  return {
    directory,
    socketDirectory,
    port,
    close: async () => {
      if (!closing) {
        closing = true
        worker.postMessage('close')
      }
      await exited
      removeSocketDirectory()
    },
  }
}
