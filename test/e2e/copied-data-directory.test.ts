import { cp, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { browsersOf } from '../support/browser-processes.ts'
import { commandEnvironment, startTabwire } from '../support/command.ts'
import { startPostgres } from '../support/databases.ts'
import { seedEmbeddedDatabase } from '../support/embedded-template.ts'
import { leakGate } from '../support/leak-gate.ts'
import { startTestApp, type TestApp } from '../support/start-app.ts'

/** A copy of a data directory is another machine: its server does not touch the sessions of the first one. */

// Whole servers are started, one after another, and the machine may be busy with other tests.
vi.setConfig({ testTimeout: 120_000 })
leakGate()

let parent: string
const opened: (() => Promise<void>)[] = []

beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'tabwire-copied-'))
})

afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close()
  await rm(parent, { recursive: true, force: true })
})

async function serve(overrides: Parameters<typeof startTestApp>[0]): Promise<TestApp> {
  const app = await startTestApp({ warmBrowsers: 0, ...overrides })
  opened.push(() => app.close())
  return app
}

const START = 'mutation { startSession(waitUntil: RUNNING) { id machineId } }'
const STATE = 'query ($id: ID!) { session(id: $id) { status endReason machineId health { browserResponsive } } }'
interface State {
  session: { status: string; endReason: string | null; machineId: string }
}
type Started = { startSession: { id: string; machineId: string } }

test('made while the first server runs, over one PostgreSQL: the session and browser of that one live on', async () => {
  const postgres = await startPostgres()
  opened.push(() => postgres.close())
  const database = { kind: 'server', url: postgres.url } as const
  const dataDir = join(parent, 'first')
  const first = await serve({ dataDir, database })
  const { id, machineId } = (await first.query<Started>(START)).startSession
  // The browser used to probe whether browsers start is closed in the background.
  await expect.poll(() => browsersOf(process.pid)).toHaveLength(1)
  const browsers = await browsersOf(process.pid)

  const copyDir = join(parent, 'copy')
  await cp(dataDir, copyDir, { recursive: true })
  const copy = await serve({ dataDir: copyDir, database })
  const running = { status: 'RUNNING', health: { browserResponsive: true } }
  // A browser has a second to answer.
  const stateOf = async (of: TestApp, session: string) => (await of.query<State>(STATE, { id: session })).session
  await expect.poll(() => stateOf(first, id)).toMatchObject(running)
  // So is the copy's.
  await expect.poll(() => browsersOf(process.pid)).toEqual(browsers)
  const other = (await copy.query<Started>(START)).startSession
  expect(other.machineId).not.toBe(machineId)

  // And vice versa: a restart of the first one ends nothing of the copy's.
  await opened.splice(opened.length - 2, 1)[0]!()
  const again = await serve({ dataDir, database })
  await expect.poll(() => stateOf(copy, other.id)).toMatchObject(running)
  expect(await stateOf(again, id)).toMatchObject({ endReason: 'SERVER_SHUTDOWN' })
  expect((await again.query<Started>(START)).startSession.machineId).toBe(machineId)
})

test('made after the first server was killed: each ends the sessions in its own embedded database', async () => {
  const dataDir = join(parent, 'first')
  await seedEmbeddedDatabase(dataDir)
  const killed = startTabwire(['serve'], commandEnvironment(dataDir))
  const [, url = ''] = await killed.printed(/^Tabwire listens on (\S+)$/m)
  const headers = {
    'x-api-key': (await readFile(join(dataDir, 'api-key'), 'utf8')).trim(),
    'content-type': 'application/json',
  }
  const response = await fetch(`${url}/graphql`, { method: 'POST', headers, body: JSON.stringify({ query: START }) })
  const { id } = ((await response.json()) as { data: Started }).data.startSession
  killed.child.kill('SIGKILL')
  await killed.finished

  const copyDir = join(parent, 'copy')
  await cp(dataDir, copyDir, { recursive: true })
  const lost = { status: 'FAILED', endReason: 'MACHINE_LOST' }
  const copy = await serve({ dataDir: copyDir })
  expect((await copy.query<State>(STATE, { id })).session).toMatchObject(lost)
  const first = await serve({ dataDir })
  expect((await first.query<State>(STATE, { id })).session).toMatchObject(lost)
})
