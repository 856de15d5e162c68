import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { encodeGlobalId } from '../../src/contract/global-id.ts'
import { leakGate } from '../support/leak-gate.ts'
import { startTestApp, type TestApp } from '../support/start-app.ts'

leakGate()

const REQUESTS = 20
const ROWS = 200

let tabwire: TestApp

beforeAll(async () => {
  tabwire = await startTestApp({ warmBrowsers: 0 })
})

afterAll(async () => {
  await tabwire.close()
})

async function ask(apiKey: string, query: string): Promise<unknown> {
  const headers = { 'content-type': 'application/json', 'x-api-key': apiKey }
  const body = JSON.stringify({ query })
  const response = await fetch(`${tabwire.url}/graphql`, { method: 'POST', headers, body })
  return ((await response.json()) as { data: unknown }).data
}

test('who asks for thousands of single rows does not keep another owner waiting', async () => {
  const create = 'mutation { createApiKey(input: {name: "other", owner: "other", scopes: [READ]}) { secret } }'
  const { secret } = (await tabwire.query<{ createApiKey: { secret: string } }>(create)).createApiKey
  const id = encodeGlobalId('Session', randomUUID())
  const fields = Array.from({ length: ROWS }, (_, index) => `a${index}: session(id: "${id}") { id }`)
  let answered = 0
  const crowd = Array.from({ length: REQUESTS }, async () => {
    const data = await ask(tabwire.apiKey, `{ ${fields.join(' ')} }`)
    answered += 1
    return data
  })
  await Promise.race(crowd)
  expect(await ask(secret, '{ sessions(first: 1) { nodes { id } } }')).toEqual({ sessions: { nodes: [] } })
  expect(answered).toBeLessThan(REQUESTS / 2)
  for (const data of await Promise.all(crowd)) expect(data).toMatchObject({ a0: null })
})
