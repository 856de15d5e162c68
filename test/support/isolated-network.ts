import { spawn, spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ISOLATED_HOSTS, PUBLIC } from '../isolated/hosts.ts'

const ROOT = join(import.meta.dirname, '..', '..')

/** Whether network namespaces are available: that requires root, and a kernel that allows it. */
export const canIsolate =
  process.getuid?.() === 0 &&
  spawnSync('unshare', ['--net', '--mount', 'sh', '-c', 'mount --make-rprivate / && ip link set lo up']).status === 0

/** Lists of plain names and addresses, so that the shell needs no quoting. */
const SET_UP = `set -e
mount --make-rprivate /
mount --bind "$1/hosts" /etc/hosts
mount --bind "$1/resolv.conf" /etc/resolv.conf
ip link set lo up
while read -r address; do ip addr add "$address" dev lo; done < "$1/addresses"
# It is ours, too, but of no interface: the server cannot tell it from one of the internet.
ip route add local "$2" dev lo
# WebRTC uses no loopback interface, and none without a way out.
ip link add outward type veth peer name nowhere
ip addr add 10.99.0.2/24 dev outward
ip link set outward up
ip link set nowhere up
ip route add default via 10.99.0.1
# A connection that nobody answers is given up after three seconds instead of two minutes.
echo 1 > /proc/sys/net/ipv4/tcp_syn_retries
shift 2
exec "$@"`

/**
 * Runs a file of tests in a network namespace that owns every address: the names of ISOLATED_HOSTS resolve to it, all
 * others do not exist, and no traffic leaves the machine. Returns "passed", otherwise the output. Nothing outlives
 * the signal.
 */
export async function runIsolated(file: string, signal: AbortSignal): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tabwire-isolated-'))
  try {
    const names = Object.entries({ localhost: '127.0.0.1', ...ISOLATED_HOSTS })
    const own = Object.values(ISOLATED_HOSTS).filter((address) => address !== PUBLIC)
    const blocks = own.map((address) => `${address}/${address.includes(':') ? 128 : 32}\n`)
    await writeFile(join(folder, 'hosts'), names.map(([name, address]) => `${address} ${name}\n`).join(''))
    await writeFile(join(folder, 'addresses'), blocks.join(''))
    // A resolver without a listener refuses immediately.
    await writeFile(join(folder, 'resolv.conf'), 'nameserver 127.0.0.1\noptions attempts:1 timeout:1\n')
    const vitest = [process.execPath, join(ROOT, 'node_modules/vitest/vitest.mjs'), 'run']
    const command = [...vitest, '--config', 'test/isolated/vitest.config.ts', '--root', ROOT, file]
    const unshared = ['--net', '--mount', '--kill-child', 'sh', '-c', SET_UP, 'sh', folder, `${PUBLIC}/32`, ...command]
    return await finished(unshared, signal)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function finished(args: string[], signal: AbortSignal): Promise<string> {
  const env = { ...process.env, NO_COLOR: '1' }
  const options = { signal, killSignal: 'SIGKILL' } as const
  const child = spawn('unshare', args, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'], ...options })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-20_000)
    })
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve(code === 0 ? 'passed' : output))
  })
}
