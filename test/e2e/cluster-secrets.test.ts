import { randomUUID } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { artifactApi } from '../support/artifact-api.ts'
import { leakGate } from '../support/leak-gate.ts'
import { sessionApi } from '../support/session-api.ts'
import { startCluster, type TestCluster } from '../support/start-cluster.ts'
import type { TestApp } from '../support/start-app.ts'

leakGate()

/** What one machine signs, encrypts or remembers, the other knows: both have nothing in common but the configuration. */

const LARGE = 'a large body. '.repeat(5_000)

let site: Server
let siteUrl: string
let cluster: TestCluster
let one: TestApp
let other: TestApp
let sessionId: string
const sessions = sessionApi(() => one)

beforeAll(async () => {
  site = createServer((request, response) => {
    if (request.url === '/large') return void response.setHeader('content-type', 'text/plain').end(LARGE)
    response.setHeader('set-cookie', 'kept=in-the-profile; Max-Age=3600')
    const seen = JSON.stringify(request.headers.cookie ?? '')
    response.setHeader('content-type', 'text/html')
    response.end(
      `<link rel="icon" href="data:,"><script>console.log('cookie: ' + ${seen}); fetch('/large').then((r) => r.text())</script>`,
    )
  })
  await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve))
  siteUrl = `http://127.0.0.1:${(site.address() as AddressInfo).port}/`
  cluster = await startCluster()
  one = await cluster.start()
  other = await cluster.start()
  sessionId = (await sessions.start({ initialPrompt: siteUrl }, 'LOADED')).id
})
afterAll(async () => {
  await cluster?.close()
  await new Promise((resolve) => site.close(resolve))
})

/** The same link at the other machine, as a load balancer would hand it on. */
const atOther = (url: string) => url.replace(one.url, other.url)

test('a link to an artifact, and an upload link, made by one are good at the other, once where once is meant', async () => {
  const { url } = await artifactApi(() => one).give(sessionId, 'made by one', 'one.txt')
  expect(await (await fetch(atOther(url))).text()).toBe('made by one')
  expect((await fetch(`${atOther(url)}0`)).status).toBe(403)
  const ticket = await artifactApi(() => one).ticket(sessionId, 'upload.txt', 'text/plain')
  const put = (link: string) => fetch(link, { method: 'PUT', body: 'sent to the other' })
  // The session lives on the first: its log is there, and so is its upload.
  const statuses = [await put(ticket.url), await put(atOther(ticket.url))].map(({ status }) => status)
  expect(statuses).toEqual([201, 409])
})

test('a body that one encrypted into the bucket is read, and its link opened, by the other', async () => {
  const query = `query ($id: ID!) { session(id: $id) { networkRequests(first: 10, filter: {urlContains: "/large"}) {
    nodes { responseBody { text url } bodyOmitted } } } }`
  type Found = { session: { networkRequests: { nodes: { responseBody: { text: string; url: string } | null }[] } } }
  const found = async () => (await other.query<Found>(query, { id: sessionId })).session.networkRequests.nodes
  await expect.poll(found).toHaveLength(1)
  const [{ responseBody }] = (await found()) as [{ responseBody: { text: string; url: string } }]
  expect(responseBody.text).toBe(LARGE)
  expect(await (await fetch(responseBody.url)).text()).toBe(LARGE)
  expect(await (await fetch(responseBody.url.replace(other.url, one.url))).text()).toBe(LARGE)
})

test('a profile that one saved is opened by the other', async () => {
  const save = 'mutation ($id: ID!) { saveProfile(sessionId: $id, name: "shared") { id } }'
  const { saveProfile } = await one.query<{ saveProfile: { id: string } }>(save, { id: sessionId })
  const there = sessionApi(() => other)
  const { id } = await there.start({ profileId: saveProfile.id, initialPrompt: siteUrl }, 'LOADED')
  const query = 'query ($id: ID!) { session(id: $id) { consoleMessages(first: 10) { nodes { text } } } }'
  type Found = { session: { consoleMessages: { nodes: { text: string }[] } } }
  const texts = async () =>
    (await one.query<Found>(query, { id })).session.consoleMessages.nodes.map(({ text }) => text)
  await expect.poll(texts).toContain('cookie: kept=in-the-profile')
  await there.terminate(id)
})

test('a start that is repeated at the other with the same idempotency key is the same session', async () => {
  const input = { idempotencyKey: randomUUID(), name: 'once' }
  const first = await sessions.start(input)
  const again = await sessionApi(() => other).start(input)
  expect(again.id).toBe(first.id)
  await sessions.terminate(first.id)
})

test('a sign-in code that one issued is exchanged by the other, once in all', async () => {
  const code = new URL(one.app.signInUrl('dashboard')).hash.slice('#code='.length)
  const exchange = ({ url }: TestApp) =>
    fetch(`${url}/sign-in`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ code }),
    })
  const responses = await Promise.all([other, one, other].map(exchange))
  expect(responses.map(({ status }) => status).toSorted()).toEqual([200, 401, 401])
  const { apiKey } = (await responses.find(({ status }) => status === 200)!.json()) as { apiKey: string }
  for (const app of [one, other]) expect(await app.query('{ __typename }', {}, apiKey)).toEqual({ __typename: 'Query' })
})

test('a key that one made works at the other, and ends there when the first revokes it', async () => {
  const create = 'mutation { createApiKey(input: {name: "shared", scopes: [READ]}) { secret apiKey { id } } }'
  type Created = { createApiKey: { secret: string; apiKey: { id: string } } }
  const { secret, apiKey } = (await one.query<Created>(create)).createApiKey
  expect(await other.query('{ __typename }', {}, secret)).toEqual({ __typename: 'Query' })
  await one.query('mutation ($id: ID!) { revokeApiKey(id: $id) { id } }', apiKey)
  await expect
    .poll(() => other.send('{ __typename }', {}, secret))
    .toMatchObject({
      errors: [{ extensions: { code: 'UNAUTHENTICATED' } }],
    })
})
