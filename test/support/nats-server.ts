import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { once } from 'node:events'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { NatsConfig } from '../../src/config.ts'
import { freePort } from './free-port.ts'
import { freezeProcesses } from './freeze-process.ts'

/** A nats-server of a test. */
export interface TestNats {
  /** host:port */
  address: string
  readonly pid: number
  /** Every connection ends and no new one is had, until `start`, which listens on the same port. */
  stop(): Promise<void>
  start(): Promise<void>
  /** The process stands still: its connections stay and nothing is answered, until `thaw`. */
  freeze(): Promise<void>
  thaw(): void
  close(): Promise<void>
}

const hasSetpriv = process.platform === 'linux' && spawnSync('setpriv', ['--version']).status === 0

/** The program is a package of every distribution (`apt-get install nats-server`). `lines` are more of its configuration. */
export async function startNats(lines: readonly string[] = []): Promise<TestNats> {
  const program = findProgram()
  const directory = await mkdtemp(join(tmpdir(), 'tabwire-nats-'))
  const port = await freePort()
  const file = join(directory, 'nats.conf')
  await writeFile(file, [`host: 127.0.0.1`, `port: ${port}`, ...lines].join('\n'))
  let server: ChildProcess | null = null

  const start = async () => {
    // Where there is setpriv, it does not outlive the tests, however they end.
    const started = hasSetpriv
      ? spawn('setpriv', ['--pdeathsig', 'KILL', program, '-c', file], { stdio: ['ignore', 'ignore', 'pipe'] })
      : spawn(program, ['-c', file], { stdio: ['ignore', 'ignore', 'pipe'] })
    let printed = ''
    started.stderr?.setEncoding('utf8').on('data', (text: string) => (printed += text))
    server = started
    while (!(await answers(port))) {
      if (started.exitCode !== null) throw new Error(`nats-server ended while starting: ${printed}`)
      await pause(20)
    }
  }
  const stop = async () => {
    const stopping = server
    server = null
    if (!stopping || stopping.exitCode !== null) return
    const exited = once(stopping, 'exit')
    stopping.kill('SIGKILL')
    await exited
  }
  await start()
  return {
    address: `127.0.0.1:${port}`,
    get pid() {
      return server!.pid!
    },
    start,
    stop,
    freeze: () => freezeProcesses(server!.pid!),
    thaw: () => void server?.kill('SIGCONT'),
    close: async () => {
      await stop()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

/** The configuration of a server that uses it, with other members. */
export const natsConfig = ({ address }: Pick<TestNats, 'address'>, other: Partial<NatsConfig> = {}): NatsConfig => ({
  servers: [address],
  user: null,
  password: null,
  token: null,
  credentialsFile: null,
  tls: null,
  ...other,
})

function findProgram(): string {
  const places = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/bin']
  const found = places.map((place) => join(place, 'nats-server')).find((path) => existsSync(path))
  if (!found) throw new Error('nats-server is not installed: apt-get install nats-server')
  return found
}

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'data')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
