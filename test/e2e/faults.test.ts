import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { startScriptedSite, type ScriptedSite } from '../adapters/playwright/scripted-site.ts'
import { commandEnvironment, startTabwire, type RunningCommand } from '../support/command.ts'
import { seedEmbeddedDatabase } from '../support/embedded-template.ts'
import { leakGate } from '../support/leak-gate.ts'

/** Uncaught errors of listeners and promises: they end their owner or, without one, the server, gracefully. */

// Whole servers are started, and the machine may be busy with other tests.
vi.setConfig({ testTimeout: 120_000 })
leakGate()

const FIXTURE = join(import.meta.dirname, '..', 'support', 'throwing-pipes.mjs')

let dataDir: string
let site: ScriptedSite
const servers: RunningCommand[] = []

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'tabwire-faults-'))
  await seedEmbeddedDatabase(dataDir)
  site = await startScriptedSite({
    throw: `setTimeout(() => console.log(['please', 'throw', 'now'].join('-')), 200)`,
    reject: `setTimeout(() => console.log(['please', 'reject', 'now'].join('-')), 200)`,
    quiet: `console.log('a line')`,
  })
})

afterEach(async () => {
  for (const { child, finished } of servers.splice(0)) {
    child.kill('SIGKILL')
    await finished
  }
  await site.close()
  await rm(dataDir, { recursive: true, force: true })
})

async function serve() {
  const server = startTabwire(['serve'], commandEnvironment(dataDir, { NODE_OPTIONS: `--import=${FIXTURE}` }))
  servers.push(server)
  const [, url = ''] = await server.printed(/^Tabwire listens on (\S+)$/m)
  const apiKey = (await readFile(join(dataDir, 'api-key'), 'utf8')).trim()
  const ask = async <T>(query: string, variables: object = {}): Promise<T> => {
    const headers = { 'x-api-key': apiKey, 'content-type': 'application/json' }
    const response = await fetch(`${url}/graphql`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ query, variables }),
    })
    return ((await response.json()) as { data: T }).data
  }
  const start = async (script: string): Promise<string> => {
    const query = 'mutation ($url: String) { startSession(input: {initialPrompt: $url}, waitUntil: RUNNING) { id } }'
    return (await ask<{ startSession: { id: string } }>(query, { url: `${site.url}/page/${script}` })).startSession.id
  }
  const state = async (id: string) => {
    const query = `query ($id: ID!) { session(id: $id) { status endReason
      events(last: 1) { nodes { ... on StatusChange { endReason } } } } }`
    const { session } = await ask<{ session: { status: string; endReason: string; events: { nodes: object[] } } }>(
      query,
      {
        id,
      },
    )
    return session
  }
  return { ...server, start, state }
}

test('on the pipe of a browser: its session ends as INTERNAL_ERROR, another one and the server go on', async () => {
  const { start, state, child } = await serve()
  const other = await start('quiet')
  for (const kind of ['throw', 'reject']) {
    const id = await start(kind)
    await expect
      .poll(() => state(id), { timeout: 60_000 })
      .toMatchObject({
        status: 'FAILED',
        endReason: 'INTERNAL_ERROR',
        events: { nodes: [{ endReason: 'INTERNAL_ERROR' }] },
      })
    expect(await state(other)).toMatchObject({ status: 'RUNNING' })
  }
  expect(child.exitCode).toBeNull()
})

test('in a timer of nobody: it is logged, the sessions end with their logs committed, and the exit code is 1', async () => {
  const server = await serve()
  const id = await server.start('quiet')
  server.child.kill('SIGUSR2')
  const { code, stderr, stdout } = await server.finished
  expect(code).toBe(1)
  expect(`${stdout}${stderr}`).toContain('thrown by a timer')
  const again = await serve()
  expect(await again.state(id)).toEqual({
    status: 'CLOSED',
    endReason: 'SERVER_SHUTDOWN',
    events: { nodes: [{ endReason: 'SERVER_SHUTDOWN' }] },
  })
})
