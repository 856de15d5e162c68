import { once } from 'node:events'
import { startApp } from '../../src/app.ts'
import { loadConfig } from '../../src/config.ts'
import { createLogger } from '../../src/logger.ts'
import { simulatedBrowsers } from './simulated-browsers.ts'

/** A server whose browsers are simulated, as a process of its own. */

const config = loadConfig(process.env)
const pool = simulatedBrowsers(Number(process.env['SIMULATED_LINE_EVERY_MS']))
const app = await startApp(config, {
  logger: createLogger(config.logLevel),
  openBrowsers: () => Promise.resolve({ pool, warnings: [], traceViewerDir: '' }),
})
console.log(`Tabwire listens on ${app.url}`)
// It does not outlive the benchmark.
await Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT'), once(process, 'disconnect')])
await app.close()
process.exit(0)
