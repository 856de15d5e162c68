import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../../test/support/free-port.ts'
import { startServer, type ServerProcess } from '../server-process.ts'
import type { SharedServices } from './shared-services.ts'

const SIMULATED = [join(import.meta.dirname, 'simulated-machine.ts')]

/** One more machine of the installation, in a process of its own. Closing it removes its data directory. */
export async function startMachine(
  { environment: shared }: SharedServices,
  browsers: 'real' | 'simulated',
  environment: Record<string, string>,
): Promise<ServerProcess> {
  await using opening = new AsyncDisposableStack()
  const dataDir = await mkdtemp(join(tmpdir(), `tabwire-bench-${process.pid}-`))
  opening.defer(() => rm(dataDir, { recursive: true, force: true, maxRetries: 5 }))
  const port = String(await freePort())
  const server = await startServer({
    environment: {
      ...shared,
      TABWIRE_DATA_DIR: dataDir,
      PORT: port,
      TABWIRE_INTERNAL_URL: `http://127.0.0.1:${port}`,
      ...environment,
    },
    profileDir: null,
    ...(browsers === 'simulated' && { program: SIMULATED }),
  })
  opening.defer(() => server.close())
  const opened = opening.move()
  return { ...server, close: () => opened.disposeAsync() }
}
