import { existsSync, fsyncSync, rmSync, writeFileSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import { PGlite } from '@electric-sql/pglite'
import { PGLiteSocketServer } from '@electric-sql/pglite-socket'
import { NodeFS } from '@electric-sql/pglite/nodefs'
import { COMPLETE, type EmbeddedWorkerData, type EmbeddedWorkerEvent } from './embedded-thread.ts'

/**
 * The thread in which the embedded database lives, so that its statements do not hold up the event loop of the server.
 */
const { directory, socketPath, mustExist } = workerData as EmbeddedWorkerData
const port = parentPort
if (!port) throw new Error('embedded-worker runs as a worker thread only')
const tell = (event: EmbeddedWorkerEvent) => port.postMessage(event)

/** The part of Emscripten's file system that is missing: what it maps to a directory of the host cannot fsync. */
interface HostFiles {
  FS: { filesystems: { NODEFS: { stream_ops: { fsync?: (stream: { nfd: number }) => number } } } }
}

/** EIO, as WASI numbers it. */
const INPUT_OUTPUT_ERROR = 29

/**
 * PGlite turns fsync off, and its files on the host would ignore it: a loss of power could not only lose what was
 * committed but leave the files at odds with each other. Here a commit is on the disk when it is answered (measured:
 * 0.75 ms instead of 0.4 for one row; 30k instead of 45k rows/s in batches of 500).
 */
class DurableFiles extends NodeFS {
  override async init(...parameters: Parameters<NodeFS['init']>): ReturnType<NodeFS['init']> {
    const { emscriptenOpts } = await super.init(...parameters)
    const addFsync = (module: unknown) => {
      const { stream_ops: operations } = (module as HostFiles).FS.filesystems.NODEFS
      operations.fsync = ({ nfd }) => {
        try {
          fsyncSync(nfd)
          return 0
        } catch {
          // An exception would pass through the backend and leave it in an unknown state. This way it panics.
          return INPUT_OUTPUT_ERROR
        }
      }
    }
    return { emscriptenOpts: { ...emscriptenOpts, preRun: [...(emscriptenOpts.preRun ?? []), addFsync] } }
  }
}

const NO_FSYNC = '-F'
const SETTINGS = ['wal_sync_method=fsync', 'wal_level=minimal', 'max_wal_senders=0', 'jit=off']

/** The status with which the backend leaves its loop for its own handling of an error (pglite.ts). */
const LONG_JUMP = 100

/** Where exceptions leave the backend. */
const BACKEND_CALLS = [
  '_PostgresMainLoopOnce',
  '_PostgresMainLongJmp',
  '_PostgresSendReadyForQueryIfNecessary',
  '_pgl_pq_flush',
] as const

const LAST_MESSAGES = 5
/** The latest of what the backend wrote to its own log: why it died. */
const messages: string[] = []

function noteMessage(line: string): boolean {
  messages.push(line)
  if (messages.length > LAST_MESSAGES) messages.shift()
  return false
}

/**
 * PGlite swallows whatever ends its backend, a PANIC included, and answers on as if nothing had happened: statements that
 * were never carried out seem to succeed, and at some point none is answered at all. So the thread ends at once, before a
 * further byte is sent. The owner starts another, which recovers as after a crash.
 */
function die(error: unknown): never {
  const panic = messages.findLast((line) => /\b(PANIC|FATAL):/.test(line))
  tell({ kind: 'failed', reason: panic?.replace(/^.*?\b(PANIC|FATAL): +/, '') ?? reasonOf(error) })
  process.exit(1)
}

class MortalDatabase extends PGlite {
  /** Call once it is ready. */
  watchBackend(): void {
    const module = this.Module as unknown as Record<string, (...parameters: unknown[]) => unknown>
    for (const name of BACKEND_CALLS) {
      const call = module[name]!
      module[name] = (...parameters) => {
        try {
          return call(...parameters)
        } catch (error) {
          if ((error as { status?: unknown } | undefined)?.status === LONG_JUMP) throw error
          return die(error)
        }
      }
    }
  }

  /** The server before it never answers anyone again once this has failed. */
  override async execProtocolRawStream(...parameters: Parameters<PGlite['execProtocolRawStream']>): Promise<void> {
    try {
      await super.execProtocolRawStream(...parameters)
    } catch (error) {
      die(error)
    }
  }
}

async function open(path: string): Promise<MortalDatabase> {
  const database = new MortalDatabase({
    fs: new DurableFiles(path),
    onStderr: noteMessage,
    startParams: [
      ...PGlite.defaultStartParams.filter((parameter) => parameter !== NO_FSYNC),
      ...SETTINGS.flatMap((setting) => ['-c', setting]),
    ],
  })
  await database.waitReady
  database.watchBackend()
  return database
}

/** What its files' errors are, as WASI numbers them. */
const ERRNO: Readonly<Record<number, string>> = {
  2: 'permission denied',
  29: 'input/output error',
  51: 'no space left on device',
  63: 'operation not permitted',
  69: 'read-only file system',
}

/** Emscripten throws objects that are no errors: its files' with an errno, its program's end with a status. */
function reasonOf(error: unknown): string {
  if (error instanceof Error) return error.message || error.name
  const errno = (error as { errno?: unknown } | undefined)?.errno
  if (typeof errno === 'number' && ERRNO[errno] !== undefined) return ERRNO[errno]
  return typeof error === 'string' ? error : (JSON.stringify(error) ?? 'it ended')
}

try {
  // Written once the database has been made whole: an interrupted first start left something that cannot be opened, and
  // held nothing yet.
  const complete = `${directory}/${COMPLETE}`
  if (!existsSync(complete)) {
    // Another, empty one in its place would hide that everything is gone.
    if (mustExist) throw new Error('its directory is gone')
    rmSync(directory, { recursive: true, force: true })
  }
  const database = await open(directory)
  if (!existsSync(complete)) writeFileSync(complete, '')
  // One pool with one connection speaks to it; others are let in while the first one's end is being noticed.
  const server = new PGLiteSocketServer({ db: database, path: socketPath, maxConnections: 8 })
  await server.start()
  port.once('message', () => {
    void (async () => {
      await server.stop()
      await database.close()
      port.close()
    })()
  })
  tell({ kind: 'ready' })
} catch (error) {
  die(error)
}
