import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from 'graphql-ws'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import WebSocket from 'ws'
import { startScriptedSite, type ScriptedSite } from '../adapters/playwright/scripted-site.ts'
import { browsersOf, processes } from '../support/browser-processes.ts'
import { commandEnvironment, startTabwire, type RunningCommand } from '../support/command.ts'
import { seedEmbeddedDatabase } from '../support/embedded-template.ts'
import { leakGate } from '../support/leak-gate.ts'

/** Shutdown under load: each session ends, each follower is notified, and the process exits with the right code. */

// A whole server is started, and the machine may be busy with other tests.
vi.setConfig({ testTimeout: 120_000 })
leakGate()

let dataDir: string
let site: ScriptedSite
let server: RunningCommand | undefined

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'tabwire-shutdown-'))
  await seedEmbeddedDatabase(dataDir)
  site = await startScriptedSite({
    flood: `let i = 0; setInterval(() => { for (let k = 0; k < 20; k++) console.log('line ' + ++i); fetch('/x' + i); document.title = i }, 20); tell('flood')`,
  })
})

afterEach(async () => {
  server?.child.kill('SIGKILL')
  await server?.finished
  server = undefined
  await site.close()
  await rm(dataDir, { recursive: true, force: true })
})

const EVENTS = `subscription ($id: ID!) { sessionEvents(sessionId: $id) { entries { __typename ... on StatusChange { endReason } } } }`

test('SIGTERM: exit 0, recordings or not; each subscriber is told the end, and nothing is left', async () => {
  server = startTabwire(['serve'], commandEnvironment(dataDir))
  const [, url = ''] = await server.printed(/^Tabwire listens on (\S+)$/m)
  const apiKey = (await readFile(join(dataDir, 'api-key'), 'utf8')).trim()
  const headers = { 'x-api-key': apiKey, 'content-type': 'application/json' }
  const post = (query: string, variables: object, accept = 'application/json') =>
    fetch(`${url}/graphql`, {
      method: 'POST',
      headers: { ...headers, accept },
      body: JSON.stringify({ query, variables }),
    })

  const start = async () => {
    const query = 'mutation ($input: StartSessionInput) { startSession(input: $input, waitUntil: RUNNING) { id } }'
    const input = { initialPrompt: `${site.url}/page/flood`, record: ['TRACE', 'HAR', 'VIDEO'] }
    const { data } = (await (await post(query, { input })).json()) as { data: { startSession: { id: string } } }
    return data.startSession.id
  }
  const ids = [await start(), await start()]
  await site.reported('flood')

  const client = createClient({
    url: `${url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { 'X-API-Key': apiKey },
    retryAttempts: 0,
  })
  let following = 0
  const follow = async (id: string): Promise<string> => {
    let last = ''
    for await (const result of client.iterate({ query: EVENTS, variables: { id } })) {
      if (last === '') following += 1
      last = JSON.stringify(result)
    }
    return `${last} complete`
  }
  const stream = async (id: string): Promise<string> => {
    const response = await post(EVENTS, { id }, 'text/event-stream')
    const decoder = new TextDecoder()
    let text = ''
    for await (const piece of response.body!) {
      if (text === '') following += 1
      // Only the end matters; a flood precedes it.
      text = (text + decoder.decode(piece, { stream: true })).slice(-10_000)
    }
    return text
  }
  const reported = ids.flatMap((id) => [follow(id), stream(id)])
  await expect.poll(() => following).toBe(reported.length)
  const browsers = await browsersOf(server.child.pid!)
  server.child.kill('SIGTERM')
  const outcomes = await Promise.all(reported)
  for (const outcome of outcomes) expect(outcome).toMatch(/"endReason":"SERVER_SHUTDOWN"[^]*complete/)
  expect(await server.finished).toMatchObject({ code: 0, signal: null })
  const alive = new Set((await processes()).map(({ pid }) => pid))
  expect(browsers.filter(({ pid }) => alive.has(pid))).toEqual([])
  await client.dispose()
})
