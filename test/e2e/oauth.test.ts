import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { initRawSocket, openRawSocket } from '../server/raw-socket.ts'
import { AUDIENCE, startIdentityProvider, type IdentityProvider } from '../support/identity-provider.ts'
import { leakGate } from '../support/leak-gate.ts'
import { startTestApp, type Answer, type TestApp } from '../support/start-app.ts'

leakGate()

let provider: IdentityProvider
let tabwire: TestApp

beforeAll(async () => {
  provider = await startIdentityProvider(['ann', 'bob', 'admin'])
  tabwire = await startTestApp({ warmBrowsers: 0, oidc: { issuer: provider.issuer, audience: AUDIENCE } })
})
afterAll(async () => {
  await tabwire.close()
  await provider.close()
})

const post = (token: string, query: string, variables = {}) =>
  fetch(`${tabwire.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ query, variables }),
  })

async function ask<T>(token: string, query: string, variables = {}): Promise<Answer<T>> {
  return (await (await post(token, query, variables)).json()) as Answer<T>
}

const START = 'mutation { startSession { id } }'
const VIEWER = '{ viewer { owner scopes } }'
const WATCH = 'subscription { sessionChanged { id } }'

describe('a bearer token of the identity provider', () => {
  test('makes its subject the owner, with the scopes it was issued for', async () => {
    const { data } = await ask(await provider.token('ann', 'READ read WRITE email'), VIEWER)
    expect(data).toEqual({ viewer: { owner: 'ann', scopes: ['READ', 'WRITE'] } })
  })

  test('may stand where an API key may, in X-API-Key too', async () => {
    const { data } = await tabwire.send(VIEWER, {}, await provider.token('ann', 'READ'))
    expect(data).toEqual({ viewer: { owner: 'ann', scopes: ['READ'] } })
  })

  test('that hardly ever expires creates keys that do not outlive it', async () => {
    const forEver = await provider.sign({
      iss: provider.issuer,
      aud: AUDIENCE,
      sub: 'eve',
      exp: 9e12,
      scope: 'KEYS READ',
    })
    const create = 'mutation { createApiKey(input: { name: "k", scopes: [READ] }) { apiKey { owner expiresAt } } }'
    expect((await ask(forEver, create)).data).toEqual({
      createApiKey: { apiKey: { owner: 'eve', expiresAt: '9999-12-31T00:00:00.000Z' } },
    })
  })

  test('allows no more than its scopes', async () => {
    const { errors } = await ask(await provider.token('ann', 'READ'), START)
    expect(errors?.[0]?.extensions.code).toBe('FORBIDDEN')
  })

  test('of one subject finds nothing of another', async () => {
    const { data } = await ask<{ startSession: { id: string } }>(await provider.token('ann', 'READ WRITE'), START)
    const session = 'query ($id: ID!) { session(id: $id) { id } }'
    const { id } = data!.startSession
    expect((await ask(await provider.token('ann', 'READ'), session, { id })).data).toEqual({ session: { id } })
    expect((await ask(await provider.token('bob', 'READ'), session, { id })).data).toEqual({ session: null })
    expect((await tabwire.send(session, { id })).data).toEqual({ session: null })
    await ask(await provider.token('ann', 'WRITE'), 'mutation ($id: ID!) { terminateSession(id: $id) { id } }', { id })
  })

  test('cannot take the name of the first key’s owner', async () => {
    expect((await post(await provider.token('admin', 'READ'), VIEWER)).status).toBe(401)
  })

  test('that is not good is 401, over WebSocket 4403', async () => {
    const other = await provider.sign({ iss: provider.issuer, aud: 'another', sub: 'ann', exp: 9_999_999_999 })
    expect((await post(other, VIEWER)).status).toBe(401)
    const raw = await openRawSocket(tabwire.url)
    raw.send({ type: 'connection_init', payload: { Authorization: `Bearer ${other}` } })
    expect(await raw.closed).toMatchObject({ code: 4403 })
  })

  test('closes what was opened with it when it expires', async () => {
    const open = async (ttlSeconds: number) => {
      const token = await provider.token('ann', 'READ', ttlSeconds)
      const raw = await initRawSocket(tabwire.url, { Authorization: `Bearer ${token}` })
      raw.send({ type: 'subscribe', id: '1', payload: { query: WATCH } })
      const stream = await fetch(`${tabwire.url}/graphql?query=${encodeURIComponent(WATCH)}`, {
        headers: { accept: 'text/event-stream', authorization: `Bearer ${token}` },
      })
      expect(stream.status).toBe(200)
      return { token, raw, stream }
    }
    // How long that takes here and now, so that the token does not expire before.
    const begun = performance.now()
    const lasting = await open(300)
    const takenSeconds = (performance.now() - begun) / 1000
    await lasting.stream.body!.cancel()
    lasting.raw.socket.close()
    const { token, raw, stream } = await open(3 + Math.ceil(takenSeconds * 10))
    expect(await raw.closed).toMatchObject({ code: 4403 })
    await expect(stream.text()).rejects.toThrow()
    expect((await post(token, VIEWER)).status).toBe(401)
  })

  test('does nothing where no provider is configured', async () => {
    await using other = await withoutProvider()
    const response = await fetch(`${other.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${await provider.token('ann', 'READ')}` },
      body: JSON.stringify({ query: VIEWER }),
    })
    expect(response.status).toBe(401)
  })
})

async function withoutProvider() {
  const app = await startTestApp({ warmBrowsers: 0 })
  return { url: app.url, [Symbol.asyncDispose]: () => app.close() }
}
