import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { commandEnvironment } from '../support/command.ts'
import { startPostgres, type TestPostgres } from '../support/databases.ts'
import { leakGate } from '../support/leak-gate.ts'
import { freePort } from '../support/free-port.ts'
import { listens } from '../support/listens.ts'
import { snippetsOf } from '../support/snippets.ts'

/**
 * The section "Many machines" of the README, and what docs/operating.md has start before it, followed as they are written, but
 * for addresses and the installation of programs.
 */

// Three servers, on a machine that may be busy.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 })
leakGate()

const ROOT = join(import.meta.dirname, '..', '..')
const STARTED = { timeout: 120_000 }
let postgres: TestPostgres
let folder: string

beforeAll(async () => {
  postgres = await startPostgres()
  folder = await mkdtemp(join(tmpdir(), 'tabwire-readme-'))
  for (const name of ['deploy', 'node_modules']) await symlink(join(ROOT, name), join(folder, name))
  // test/setup.test.ts runs `npm start` itself.
  const npm = `#!/bin/sh\nexec '${process.execPath}' '${join(ROOT, 'bin', 'tabwire.mjs')}' serve\n`
  await writeFile(join(folder, 'npm'), npm, { mode: 0o755 })
})
afterAll(async () => {
  await postgres?.close()
  await rm(folder, { recursive: true, force: true })
})

/** The block of the document with these words, with others in place of some; each must be there. */
function blockOf(file: string, words: string, replaced: readonly (readonly [string, string])[]): string {
  let script = snippetsOf(file).find(({ text }) => text.includes(words))!.text
  for (const [written, used] of replaced) {
    expect(script).toContain(written)
    script = script.replaceAll(written, used)
  }
  return script
}

/** A shell that runs the script, then waits for what it has left running. */
function runScript(script: string, variables: Record<string, string> = {}) {
  const environment = commandEnvironment(folder)
  const env = { ...environment, PATH: `${folder}:${environment['PATH']}:/usr/sbin`, ...variables }
  const shell = spawn('sh', ['-euc', `${script}\necho\necho followed\nwait`], { cwd: folder, env, detached: true })
  const closed = once(shell, 'close')
  const said = { output: '', errors: '' }
  shell.stdout.on('data', (data: Buffer) => (said.output += data.toString()))
  shell.stderr.on('data', (data: Buffer) => (said.errors += data.toString()))
  return {
    said,
    async followed() {
      await expect.poll(() => /^followed$/m.test(said.output) || shell.exitCode !== null, STARTED).toBe(true)
    },
    async [Symbol.asyncDispose]() {
      if (shell.exitCode === null) process.kill(-shell.pid!, 'SIGTERM')
      await closed
    },
  }
}

/** The role and the database, which the document has made by `psql`. */
async function makeDatabase(script: string): Promise<string> {
  const [, statements] = /^echo "(.+)" \| su postgres -c psql$/m.exec(script)!
  const client = new pg.Client({ connectionString: postgres.url })
  await client.connect()
  try {
    for (const statement of statements!.split('; ')) await client.query(statement)
  } finally {
    await client.end()
  }
  return `postgres://tabwire:tabwire@${new URL(postgres.url).host}/tabwire`
}

test('three servers behind haproxy, as the README starts them, with the services that the document starts', async () => {
  const [nats, s3] = [await freePort(), await freePort()]
  const services = blockOf('docs/operating.md', 'fauxqs', [
    ['nats-server --addr 127.0.0.1', `nats-server --addr 127.0.0.1 --port ${nats}`],
  ])
  const url = await makeDatabase(services)
  const withoutInstallation = services.slice(services.indexOf('nats-server --addr'))
  await using started = runScript(withoutInstallation, { FAUXQS_PORT: String(s3), FAUXQS_HOST: '127.0.0.1' })
  await started.followed()
  await expect.poll(async () => [await listens(nats), await listens(s3)], STARTED).toEqual([true, true])

  const ports = [await freePort(), await freePort(), await freePort()] as const
  const balancer = await freePort()
  const script = blockOf('README.md', 'haproxy -f ', [
    ['postgres://tabwire:tabwire@127.0.0.1:5432/tabwire', url],
    ['nats://127.0.0.1:4222', `nats://127.0.0.1:${nats}`],
    ['http://127.0.0.1:4566', `http://127.0.0.1:${s3}`],
    ['http://127.0.0.1:4000', `http://127.0.0.1:${balancer}`],
    ['for node in 1 2 3', `for node in ${ports.join(' ')}`],
    ['400$node', '$node'],
  ])
  const variables = {
    TABWIRE_BALANCER_LISTEN: `127.0.0.1:${balancer}`,
    ...Object.fromEntries(ports.map((port, index) => [`TABWIRE_BALANCER_NODE${index + 1}`, `127.0.0.1:${port}`])),
  }
  const { said } = await followReadme(script, variables, ports)
  for (const port of ports) expect(said.output).toContain(`Tabwire listens on http://127.0.0.1:${port}`)
  expect(said.errors).not.toMatch(/FATAL|Error/)
})

async function followReadme(script: string, variables: Record<string, string>, ports: readonly number[]) {
  await using running = runScript(script, variables)
  const { said } = running
  await running.followed()
  // The first of them may have been ready before the others had their leases.
  expect(said.output + said.errors).toMatch(/"machines":\[\{"id":"[^"]+","slots":20,"draining":false\}/)
  const health = () => Promise.all(ports.map(async (port) => (await fetch(`http://127.0.0.1:${port}/ready`)).status))
  await expect.poll(() => health().catch(() => said.errors), STARTED).toEqual([200, 200, 200])
  return running
}
