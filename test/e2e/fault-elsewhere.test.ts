import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { commandEnvironment, startTabwire, type RunningCommand } from '../support/command.ts'
import { seedEmbeddedDatabase } from '../support/embedded-template.ts'
import { leakGate } from '../support/leak-gate.ts'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })
leakGate()

const FIXTURE = join(import.meta.dirname, '..', 'support', 'fault-elsewhere.mjs')

let dataDir: string
let server: RunningCommand
let serverUrl: URL
let apiKey: string

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'tabwire-elsewhere-'))
  await seedEmbeddedDatabase(dataDir)
  server = startTabwire(['serve'], commandEnvironment(dataDir, { NODE_OPTIONS: `--import=${FIXTURE}` }))
  serverUrl = new URL((await server.printed(/^Tabwire listens on (\S+)$/m))[1]!)
  apiKey = (await readFile(join(dataDir, 'api-key'), 'utf8')).trim()
})

afterAll(async () => {
  // Only after a failure.
  if (server.child.exitCode === null) server.child.kill('SIGKILL')
  await server.finished
  await rm(dataDir, { recursive: true, force: true })
})

test('a fault of something else, while a request is read, costs that request nothing', async () => {
  const body = JSON.stringify({ query: '{ __typename }' })
  const head = ['POST /graphql HTTP/1.1', `Host: ${serverUrl.host}`, `X-API-Key: ${apiKey}`]
  const type = ['Content-Type: application/json', `Content-Length: ${body.length}`]
  const socket = connect(Number(serverUrl.port), serverUrl.hostname)
  // Head and body reach the parser together. The second request proves that it still works after the first.
  for (let number = 1; number <= 2; number += 1) {
    socket.write([...head, ...type, '', body].join('\r\n'))
    let response = ''
    while (!response.includes('\r\n\r\n') || !response.endsWith('}')) {
      const [piece] = await once(socket, 'data')
      response += String(piece)
      // A refusal has no body.
      expect(response).toMatch(/^HTTP\/1.1 200 /)
    }
    expect(response).toMatch(/\r\n\r\n{"data":{"__typename":"Query"}}$/)
  }
  socket.destroy()
  await server.printed(/^a fault beside POST \/graphql$/m)

  server.child.kill('SIGTERM')
  expect((await server.finished).code).toBe(0)
})
