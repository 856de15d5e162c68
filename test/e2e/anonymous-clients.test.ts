import WebSocket from 'ws'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { CONNECTION_LIMITS } from '../../src/server/base/connections.ts'
import { leakGate } from '../support/leak-gate.ts'
import { startTestApp, type TestApp } from '../support/start-app.ts'

leakGate()

let tabwire: TestApp
const sockets: WebSocket[] = []

beforeAll(async () => {
  tabwire = await startTestApp({ warmBrowsers: 0 })
})

afterAll(async () => {
  for (const socket of sockets) socket.terminate()
  await tabwire.close()
})

const wrongKey = (index: number) => `tw_${String(index).padStart(43, 'x')}`

async function statusOf(apiKey: string): Promise<number> {
  const headers = { 'content-type': 'application/json', 'x-api-key': apiKey }
  return (await fetch(`${tabwire.url}/graphql`, { method: 'POST', headers, body: '{"query":"{ __typename }"}' })).status
}

test('many sockets without a key keep nobody out who has one', async () => {
  const url = `${tabwire.url.replace('http', 'ws')}/graphql`
  for (let count = 0; count < 3 * CONNECTION_LIMITS.anonymousPerAddress; count += 1) {
    const socket = new WebSocket(url, 'graphql-transport-ws')
    socket.on('error', () => {})
    socket.once('open', () => socket.send('{"type":"connection_init"}'))
    sockets.push(socket)
  }
  const results = tabwire.client().iterate({ query: 'query { capacity { total } }' })
  expect((await results.next()).value?.data).toMatchObject({ capacity: { total: expect.any(Number) } })
  const open = () => sockets.filter(({ readyState }) => readyState === WebSocket.OPEN).length
  await expect.poll(open).toBeLessThanOrEqual(CONNECTION_LIMITS.anonymousPerAddress)
})

test('wrong keys without end are refused without being looked up, and no key that works is', async () => {
  let tried = 0
  const tryMany = () => Promise.all(Array.from({ length: 100 }, () => statusOf(wrongKey((tried += 1)))))
  await expect.poll(tryMany).toContain(429)
  expect(await statusOf(tabwire.apiKey)).toBe(200)
  const create = 'mutation { createApiKey(input: {name: "new", scopes: [READ]}) { secret } }'
  const { createApiKey } = await tabwire.query<{ createApiKey: { secret: string } }>(create)
  expect(await statusOf(createApiKey.secret)).toBe(200)
})
