import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { commandEnvironment } from '../support/command.ts'
import { leakGate } from '../support/leak-gate.ts'
import { freePort } from '../support/free-port.ts'
import { snippetsOf } from '../support/snippets.ts'
import { startCluster, type TestCluster } from '../support/start-cluster.ts'

/** The section "Many machines" of the README, followed as it is written, but for addresses and credentials. */

// Three servers, on a machine that may be busy.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 })
leakGate()

const ROOT = join(import.meta.dirname, '..', '..')
let cluster: TestCluster
let folder: string

beforeAll(async () => {
  cluster = await startCluster()
  folder = await mkdtemp(join(tmpdir(), 'tabwire-readme-'))
  await symlink(join(ROOT, 'deploy'), join(folder, 'deploy'))
  // test/setup.test.ts runs `npm start` itself.
  const npm = `#!/bin/sh\nexec '${process.execPath}' '${join(ROOT, 'bin', 'tabwire.mjs')}' serve\n`
  await writeFile(join(folder, 'npm'), npm, { mode: 0o755 })
})
afterAll(async () => {
  await cluster?.close()
  await rm(folder, { recursive: true, force: true })
})

test('three servers behind haproxy, as the README starts them', async () => {
  const { DATABASE_URL, NATS_URL, TABWIRE_S3_ENDPOINT, TABWIRE_S3_BUCKET } = cluster.environment
  const block = snippetsOf('README.md').find(({ text }) => text.includes('haproxy -f '))!.text
  const ports = [await freePort(), await freePort(), await freePort()] as const
  const balancer = await freePort()
  const replaced: readonly [string, string][] = [
    ['postgres://tabwire:tabwire@127.0.0.1:5432/tabwire', DATABASE_URL!],
    ['nats://127.0.0.1:4222', NATS_URL!],
    ['http://127.0.0.1:4566', TABWIRE_S3_ENDPOINT!],
    ['TABWIRE_S3_BUCKET=tabwire', `TABWIRE_S3_BUCKET=${TABWIRE_S3_BUCKET}`],
    ['http://127.0.0.1:4000', `http://127.0.0.1:${balancer}`],
    ['for node in 1 2 3', `for node in ${ports.join(' ')}`],
    ['400$node', '$node'],
  ]
  let script = block
  for (const [written, used] of replaced) {
    expect(script).toContain(written)
    script = script.replaceAll(written, used)
  }
  const environment = commandEnvironment(folder)
  const env = {
    ...environment,
    PATH: `${folder}:${environment['PATH']}:/usr/sbin`,
    TABWIRE_BALANCER_LISTEN: `127.0.0.1:${balancer}`,
    ...Object.fromEntries(ports.map((port, index) => [`TABWIRE_BALANCER_NODE${index + 1}`, `127.0.0.1:${port}`])),
  }
  const shell = spawn('sh', ['-euc', `${script}\necho\necho followed\nwait`], { cwd: folder, env, detached: true })
  const closed = once(shell, 'close')
  let output = ''
  let errors = ''
  shell.stdout.on('data', (data: Buffer) => (output += data.toString()))
  shell.stderr.on('data', (data: Buffer) => (errors += data.toString()))
  try {
    await expect.poll(() => /^followed$/m.test(output) || shell.exitCode !== null, { timeout: 120_000 }).toBe(true)
    // The first of them may have been ready before the others had their leases.
    expect(output + errors).toMatch(/"machines":\[\{"id":"[^"]+","slots":20,"draining":false\}/)
    const health = () => Promise.all(ports.map(async (port) => (await fetch(`http://127.0.0.1:${port}/ready`)).status))
    await expect.poll(() => health().catch(() => errors), { timeout: 120_000 }).toEqual([200, 200, 200])
  } finally {
    process.kill(-shell.pid!, 'SIGTERM')
    await closed
  }
  for (const port of ports) expect(output).toContain(`Tabwire listens on http://127.0.0.1:${port}`)
  expect(errors).not.toMatch(/FATAL|Error/)
})
