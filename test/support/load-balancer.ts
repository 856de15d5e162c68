import { spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { once } from 'node:events'
import { delimiter, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { listens } from './listens.ts'

/** An haproxy of a test, with the configuration of deploy/haproxy. */
export interface TestLoadBalancer {
  url: string
  /** Its log. */
  printed(): string
  close(): Promise<void>
}

const CONFIGURATION = join(import.meta.dirname, '..', '..', 'deploy', 'haproxy', 'haproxy.cfg')
const hasSetpriv = process.platform === 'linux' && spawnSync('setpriv', ['--version']).status === 0

/** `nodes`: host and port of each of the three. The program is a package of every distribution. */
export async function startLoadBalancer(port: number, nodes: readonly string[]): Promise<TestLoadBalancer> {
  const program = findHaproxy()
  const env = balancerEnvironment(`127.0.0.1:${port}`, nodes)
  const args = ['-db', '-f', CONFIGURATION]
  // Where there is setpriv, it does not outlive the tests, however they end.
  const server = hasSetpriv
    ? spawn('setpriv', ['--pdeathsig', 'KILL', program, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] })
    : spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let printed = ''
  for (const output of [server.stdout, server.stderr]) {
    output.setEncoding('utf8').on('data', (text: string) => (printed = (printed + text).slice(-1_000_000)))
  }
  while (!(await listens(port))) {
    if (server.exitCode !== null) throw new Error(`haproxy ended while starting: ${printed}`)
    await pause(20)
  }
  return {
    url: `http://127.0.0.1:${port}`,
    printed: () => printed,
    async close() {
      if (server.exitCode !== null) throw new Error(`haproxy ended by itself: ${printed}`)
      const exited = once(server, 'exit')
      server.kill('SIGKILL')
      await exited
    },
  }
}

/** What haproxy says of its configuration, and its exit code. */
export function checkBalancerConfiguration(env: Record<string, string>) {
  const { status, stdout, stderr } = spawnSync(findHaproxy(), ['-c', '-f', CONFIGURATION], { env, encoding: 'utf8' })
  return { status, output: stdout + stderr }
}

const balancerEnvironment = (listen: string, nodes: readonly string[]) => ({
  TABWIRE_BALANCER_LISTEN: listen,
  ...Object.fromEntries(nodes.map((node, index) => [`TABWIRE_BALANCER_NODE${index + 1}`, node])),
})

function findHaproxy(): string {
  const places = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin']
  const found = places.map((place) => join(place, 'haproxy')).find((path) => existsSync(path))
  if (!found) throw new Error('haproxy is not installed: apt-get install haproxy')
  return found
}
