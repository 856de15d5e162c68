import { existsSync, fsyncSync, rmSync, writeFileSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import { PGlite } from '@electric-sql/pglite'
import { PGLiteSocketServer } from '@electric-sql/pglite-socket'
import { NodeFS } from '@electric-sql/pglite/nodefs'
import { gatherMessages, type MessageQueue } from './gathered-messages.ts'
import { COMPLETE, type EmbeddedWorkerData, type EmbeddedWorkerEvent } from './embedded-thread.ts'

/** The thread of the embedded database, so that its statements do not block the event loop of the server. */
const { directory, socketPath, mustExist } = workerData as EmbeddedWorkerData
const port = parentPort
if (!port) throw new Error('embedded-worker runs as a worker thread only')
const post = (event: EmbeddedWorkerEvent) => port.postMessage(event)

/** The missing part of Emscripten's file system: directories of the host that it mounts cannot fsync. */
interface HostFiles {
  FS: { filesystems: { NODEFS: { stream_ops: { fsync?: (stream: { nfd: number }) => number } } } }
}

/** EIO, in WASI's numbering. */
const INPUT_OUTPUT_ERROR = 29

/**
 * PGlite turns fsync off, and its files on the host would ignore it: a power failure could not only lose committed data
 * but leave the files inconsistent. Here a commit is on the disk before it is acknowledged (measured: 0.75 ms instead
 * of 0.4 for one row; 30k instead of 45k rows/s in batches of 500).
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

/** The exit status with which the backend leaves its loop to handle an error (pglite.ts). */
const LONG_JUMP = 100

/** Functions through which exceptions leave the backend. */
const BACKEND_CALLS = [
  '_PostgresMainLoopOnce',
  '_PostgresMainLongJmp',
  '_PostgresSendReadyForQueryIfNecessary',
  '_pgl_pq_flush',
] as const

const LAST_MESSAGES = 5
/** The latest lines of the backend's own log: why it died. */
const messages: string[] = []

function noteMessage(line: string): boolean {
  messages.push(line)
  if (messages.length > LAST_MESSAGES) messages.shift()
  return false
}

/**
 * PGlite hides anything that ends its backend, including a PANIC, and continues to respond as if nothing had happened:
 * statements that never ran appear to succeed, and at some point it stops responding. So the thread exits at once,
 * before another byte is sent. The owner starts another, which recovers as after a crash.
 */
function die(error: unknown): never {
  const panic = messages.findLast((line) => /\b(PANIC|FATAL):/.test(line))
  post({ kind: 'failed', reason: panic?.replace(/^.*?\b(PANIC|FATAL): +/, '') ?? reasonOf(error) })
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

  /** The server in front of it never responds again once this has failed. */
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

/** Errors of its files, in WASI's numbering. */
const ERRNO: Readonly<Record<number, string>> = {
  2: 'permission denied',
  29: 'input/output error',
  51: 'no space left on device',
  63: 'operation not permitted',
  69: 'read-only file system',
}

/** Emscripten throws objects that are not Errors: file errors have an errno, a program's exit has a status. */
function reasonOf(error: unknown): string {
  if (error instanceof Error) return error.message || error.name
  const errno = (error as { errno?: unknown } | undefined)?.errno
  if (typeof errno === 'number' && ERRNO[errno] !== undefined) return ERRNO[errno]
  return typeof error === 'string' ? error : (JSON.stringify(error) ?? 'it ended')
}

try {
  // Written after the database was initialized: an interrupted first start leaves a directory that cannot be opened,
  // and without data.
  const complete = `${directory}/${COMPLETE}`
  if (!existsSync(complete)) {
    // A new empty one in its place would hide the loss of all data.
    if (mustExist) throw new Error('its directory is gone')
    rmSync(directory, { recursive: true, force: true })
  }
  const database = await open(directory)
  if (!existsSync(complete)) writeFileSync(complete, '')
  // One pool with one connection uses it; more are accepted while the end of the first one is not noticed yet.
  const server = new PGLiteSocketServer({ db: database, path: socketPath, maxConnections: 8 })
  const { queryQueue } = server as unknown as { queryQueue: MessageQueue }
  gatherMessages(queryQueue)
  await server.start()
  port.once('message', () => {
    void (async () => {
      await server.stop()
      await database.close()
      port.close()
    })()
  })
  post({ kind: 'ready' })
} catch (error) {
  die(error)
}
