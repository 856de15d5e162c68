import type { App } from '../app.ts'
import { Deadline } from '../async/deadline.ts'
import { CONFIG_VARIABLES, loadConfig, type Config } from '../config.ts'
import { adminKeyFile } from '../data-directory.ts'
import { createLogger, type Logger } from '../logger.ts'
import { DEMO_PATH } from '../http-paths.ts'
import { faultOwner } from '../fault-owner.ts'
import { useTempDirectory } from '../temp-directory.ts'
import { print, printNotice } from './stdio.ts'
import { inLines, readOptions, type Command } from './cli.ts'

/**
 * Max duration of a graceful shutdown. Docker kills after ten seconds, and a person at a terminal does not wait longer.
 */
const SHUTDOWN_MS = 9500

/**
 * A terminal sends Ctrl-C to every process in the foreground, and npm and set-up forward it: one key press arrives here
 * up to three times, within milliseconds. Copies within this time count as one signal.
 */
const SAME_SIGNAL_MS = 300

const SIGNALS = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 } as const

export const serve: Command = {
  name: 'serve',
  summary: 'serve the GraphQL API (the default)',
  help: `Usage: tabwire serve

Serves the GraphQL API over HTTP, WebSocket and SSE, the dashboard, GraphiQL, and a demo page. Migrates the database first.
Ctrl-C (SIGINT) or SIGTERM ends every session, shuts down gracefully and exits with 0; a second one exits immediately.

It is configured by environment variables, which docs/configuration.md describes:

${inLines(CONFIG_VARIABLES, 100)}`,

  async run(args) {
    readOptions(args, {})
    const config = loadConfig(process.env)
    const logger = createLogger(config.logLevel)
    const end = waitForEnd(logger)
    await useTempDirectory(config.tempDir)
    const { startApp } = await import('../app.ts')
    const app = await startApp(config, { logger, say: printNotice })
    announce(app, config)
    const lost = app.closed.then((reason) => {
      printNotice(`tabwire: ${reason}`)
      return 1
    })
    const exitCode = await Promise.race([end, lost])
    return (await closesInTime(app, logger)) ? exitCode : 1
  },
}

/** Resolves with the exit code after a signal or a fault. A second signal exits without waiting. */
function waitForEnd(logger: Logger): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>()
  let firstAt: number | undefined
  for (const [signal, number] of Object.entries(SIGNALS)) {
    process.on(signal, () => {
      if (firstAt === undefined) {
        firstAt = performance.now()
        if (signal !== 'SIGHUP') printNotice('Ending the sessions; press Ctrl-C again to exit immediately.')
        resolve(0)
      } else if (performance.now() - firstAt > SAME_SIGNAL_MS) {
        process.exit(128 + number)
      }
    })
  }
  const onFault = (error: unknown, origin: string) => {
    const owner = faultOwner()
    if (owner) return owner.fail(error)
    logger.fatal({ err: error, origin }, 'a fault that nothing handled: the server ends')
    resolve(1)
  }
  process.on('uncaughtException', onFault)
  process.on('unhandledRejection', (error) => onFault(error, 'unhandledRejection'))
  return promise
}

async function closesInTime(app: App, logger: Logger): Promise<boolean> {
  try {
    const closed = await Deadline.isMet(app.close(), SHUTDOWN_MS)
    if (!closed)
      logger.error({ afterMs: SHUTDOWN_MS }, 'the sessions did not end in time: exiting without waiting for them')
    return closed
  } catch (error) {
    logger.error({ err: error }, 'the shutdown was not graceful')
    return false
  }
}

/**
 * The most useful facts first. The code in the link grants access, so it is printed to a terminal but not written to a
 * log file.
 */
function announce(app: App, config: Config): void {
  const isTerminal = process.stdout.isTTY
  const link = (page: 'dashboard' | 'graphiql') => {
    const url = new URL(app.signInUrl(page))
    if (!isTerminal) url.hash = ''
    return url.href
  }
  print(`Tabwire listens on ${app.url}`)
  if (isTerminal) print('  Pages, signed in (each link works once, for ten minutes):')
  print(`  Dashboard: ${link('dashboard')}`)
  print(`  GraphiQL: ${link('graphiql')}`)
  print(`  Demo page: ${demoPage(app, config)}`)
  print(`  API key: ${config.apiKey ? 'the one in TABWIRE_API_KEY' : `in ${adminKeyFile(config.dataDir)}`}`)
  print(`  Data: ${app.describe.dataDir}`)
  print(`  Database: ${app.describe.database}`)
  print(`  Artifacts: ${app.describe.artifacts}`)
  print(`  Browser: ${app.describe.browser}`)
  for (const warning of app.warnings) printNotice(`Warning: ${warning}`)
}

/**
 * As a session of this server would open it. If pages reach public addresses only, an address of this machine must be
 * allowed.
 */
function demoPage(app: App, config: Config): string {
  const url = new URL(DEMO_PATH, app.url)
  if (config.egress.mode === 'OPEN') return url.href
  return `${url.href} (sessions reach it with TABWIRE_EGRESS_ALLOW=${url.host})`
}
