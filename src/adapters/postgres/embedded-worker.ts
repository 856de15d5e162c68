import { existsSync, renameSync, rmSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import { PGlite } from '@electric-sql/pglite'
import { PGLiteSocketServer } from '@electric-sql/pglite-socket'
import { NodeFS } from '@electric-sql/pglite/nodefs'
import type { EmbeddedWorkerData, EmbeddedWorkerEvent } from './embedded-database.ts'

/**
 * The thread in which the embedded database lives, so that its statements do not hold up the event loop of the server.
 */
const { directory, socketPath } = workerData as EmbeddedWorkerData
const port = parentPort
if (!port) throw new Error('embedded-worker runs as a worker thread only')
const tell = (event: EmbeddedWorkerEvent) => port.postMessage(event)

const open = (path: string) => PGlite.create({ fs: new NodeFS(path) })

try {
  if (!existsSync(`${directory}/PG_VERSION`)) {
    // Made beside its place and then renamed: an interrupted first start leaves nothing that looks like a database.
    const unfinished = `${directory}.unfinished`
    rmSync(unfinished, { recursive: true, force: true })
    const fresh = await open(unfinished)
    await fresh.close()
    renameSync(unfinished, directory)
  }
  const database = await open(directory)
  // One pool with one connection speaks to it; a second is let in while the first one's end is being noticed.
  const server = new PGLiteSocketServer({ db: database, path: socketPath, maxConnections: 8 })
  await server.start()
  port.once('message', () => {
    void (async () => {
      await server.stop()
      await database.close()
      tell({ kind: 'closed' })
      port.close()
    })()
  })
  tell({ kind: 'ready' })
} catch (error) {
  tell({ kind: 'failed', reason: error instanceof Error ? error.message : String(error) })
  port.close()
}
