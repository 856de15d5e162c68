import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { loadConfig, type Config } from '../config.ts'
import { readLockHolder, type LockHolder } from '../data-directory-lock.ts'
import { MAX_DRAIN_SECONDS } from '../domain/machines/drain.ts'
import { StartupFailed } from '../startup-failed.ts'
import { readAdminKey } from './admin-key.ts'
import { readOptions, UsageError, type Command } from './cli.ts'
import { serverApi } from './server-api.ts'
import { print, printNotice } from './stdio.ts'

const LOOK_MS = 250
const HEALTH_MS = 2_000
/** For the graceful shutdown that follows. */
const SHUTDOWN_MS = 30_000

export const drain: Command = {
  name: 'drain',
  summary: 'let the sessions of a server finish, then end it',
  help: `Usage: tabwire drain [--seconds <seconds>] [--no-wait]

The server that runs on TABWIRE_DATA_DIR accepts no new sessions (SERVER_DRAINING; GET /ready responds with 503). Live ones
continue. When the last one has ended, or the time is over, it shuts down gracefully, with exit code 0. The command waits
for that. It cannot be undone.

  --seconds <seconds>  time for the sessions, 0 to ${MAX_DRAIN_SECONDS}; default: TABWIRE_DRAIN_SECONDS of the server
  --no-wait            return as soon as the server drains

It asks the server on this machine, with the admin key in <data dir>/api-key or TABWIRE_API_KEY.`,

  async run(args) {
    const { values } = readOptions(args, {
      seconds: { type: 'string' },
      'no-wait': { type: 'boolean', default: false },
    })
    const seconds = values.seconds === undefined ? null : readSeconds(values.seconds)
    const config = loadConfig(process.env)
    const holder = await readLockHolder(config.dataDir)
    if (!holder) throw new StartupFailed(`No server runs on ${config.dataDir}: set TABWIRE_DATA_DIR to its directory.`)
    const { pid, url } = holder
    if (!url) throw new StartupFailed(`Process ${pid} does not serve yet: try again.`)
    const endsAt = await begin(config, url, seconds)
    printNotice(`The server at ${url} drains: its sessions have until ${new Date(endsAt).toISOString()}.`)
    if (values['no-wait']) return 0
    const until = performance.now() + Math.max(0, endsAt - Date.now()) + SHUTDOWN_MS
    while (!(await hasEnded(config.dataDir, { pid, url }))) {
      if (performance.now() > until) throw new StartupFailed(`The server at ${url}, process ${pid}, has not ended.`)
      await delay(LOOK_MS)
    }
    print('The server has ended.')
    return 0
  },
}

function readSeconds(text: string): number {
  const seconds = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN
  if (!(seconds <= MAX_DRAIN_SECONDS)) {
    throw new UsageError(`--seconds must be a whole number from 0 to ${MAX_DRAIN_SECONDS}`)
  }
  return seconds
}

/** Resolves with the time when sessions that are still live are ended. */
async function begin(config: Config, url: string, seconds: number | null): Promise<number> {
  const machineId = (await readFile(join(config.dataDir, 'machine-id'), 'utf8')).trim()
  const { drainMachine } = await serverApi(url, await readAdminKey(config))<{ drainMachine: string }>(
    'mutation ($machineId: ID!, $seconds: Int) { drainMachine(machineId: $machineId, seconds: $seconds) }',
    { machineId, seconds },
  )
  return Date.parse(drainMachine)
}

/** It removes its note last. If it was killed, the note is still there. */
async function hasEnded(dataDir: string, { pid, url }: LockHolder & { url: string }): Promise<boolean> {
  const holder = await readLockHolder(dataDir)
  if (holder?.pid !== pid) return true
  // Not by the number alone: in a container beside the server's it may be nobody's.
  return !isAlive(pid) && !(await isHealthy(url))
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'
  }
}

async function isHealthy(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/health`, { signal: AbortSignal.timeout(HEALTH_MS) })).ok
  } catch {
    return false
  }
}
