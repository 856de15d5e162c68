import { setImmediate as turn } from 'node:timers/promises'
import { startApp } from '../src/app.ts'
import { loadConfig } from '../src/config.ts'
import { createLogger } from '../src/logger.ts'

/** What the benchmarks and the server under test say to each other over the IPC channel. */
export type ServerOrder = { kind: 'collect' } | { kind: 'close' }
export type ServerReport = { kind: 'ready'; url: string; apiKey: string } | { kind: 'collected' }

/** The server under test, as `tabwire serve` starts it, in a process of its own that can be told to collect garbage. */
const report = (message: ServerReport) => process.send?.(message)

const config = loadConfig(process.env)
const app = await startApp(config, { logger: createLogger(config.logLevel) })

async function collect(): Promise<void> {
  const { gc } = globalThis
  if (!gc) throw new Error('the server under test must run with --expose-gc')
  // What one collection frees may, through finalisers and closed handles, let go of more.
  for (let round = 0; round < 4; round += 1) {
    gc()
    await turn()
  }
  report({ kind: 'collected' })
}

process.on('message', (order: ServerOrder) => {
  if (order.kind === 'collect') void collect()
  else process.disconnect()
})
// Also when the benchmarks end without having said so.
process.once('disconnect', () => {
  void app.close().then(() => process.exit())
})
report({ kind: 'ready', url: app.url, apiKey: app.apiKey })
