import { mkdtemp, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { commandEnvironment, startTabwire, type RunningCommand } from '../support/command.ts'
import { seedEmbeddedDatabase } from '../support/embedded-template.ts'
import { leakGate } from '../support/leak-gate.ts'

// A whole server is started, and the machine may be busy with other tests.
vi.setConfig({ testTimeout: 180_000 })
leakGate()

let dataDir: string
let server: RunningCommand | undefined

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'tabwire-lost-'))
  await seedEmbeddedDatabase(dataDir)
})

afterEach(async () => {
  server?.child.kill('SIGKILL')
  await server?.finished
  server = undefined
  await rm(dataDir, { recursive: true, force: true })
})

test('a server whose embedded database is lost says so in one line, and ends', async () => {
  const env = commandEnvironment(dataDir, { TABWIRE_WARM_BROWSERS: '0', TABWIRE_LOG_LEVEL: 'silent' })
  server = startTabwire(['serve'], env)
  await server.printed(/^Tabwire listens on (\S+)$/m)
  await rename(join(dataDir, 'database'), join(dataDir, 'elsewhere'))
  const { code, stderr } = await server.finished
  const lines = stderr.split('\n').filter((line) => line.startsWith('tabwire:'))
  expect(lines).toEqual([
    `tabwire: The embedded database in ${dataDir} failed and cannot be opened again: its directory is gone.`,
  ])
  expect(stderr).not.toMatch(/^\s+at /m)
  expect(code).toBe(1)
})
