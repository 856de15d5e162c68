import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildClientSchema, getIntrospectionQuery, type GraphQLSchema, type IntrospectionQuery } from 'graphql'
import type { Client } from 'graphql-ws'
import { afterAll, beforeAll, expect, vi } from 'vitest'
import { openStore } from '../../src/adapters/postgres/store.ts'
import { createLogger } from '../../src/logger.ts'
import { encodeGlobalId } from '../../src/contract/global-id.ts'
import type { Case, Root } from './authorization-walk.ts'
import { seedEmbeddedDatabase } from './embedded-template.ts'
import { startFakeModelServer, type FakeModelServer } from './fake-model-server.ts'
import { leakGate } from './leak-gate.ts'
import { keepOneOfEach, type OwnedThings } from './owned-things.ts'
import { WAIT_LIMITS } from './time-limits.ts'
import { startTestApp, type Answer, type TestApp } from './start-app.ts'
import { aiOf } from './task-api.ts'
import { startTestSite, type TestSite } from './test-site.ts'

/** Marks all of the first owner's data that comes from a page, a client or a model. */
export const MARKER = 'SECRET-OF-ANN'
const NOWHERE = '00000000-0000-4000-8000-000000000000'

/** Tabwire with data of two owners, Ann (the owner "admin") and Bob, for all tests of a file. */
export interface AuthorizationApp {
  tabwire: TestApp
  /** As clients get it. */
  schema: GraphQLSchema
  ann: OwnedThings
  bob: OwnedThings
  /** A running session of Ann's, with one of everything that a live session has. */
  live: string
  /** Token of a link to its live view. */
  liveViewToken: string
  /** Its start arguments: starting it again with them returns the same session. */
  startArguments: string
}

/** Call at the top of a test file. The result is available once its tests run. */
export function authorizationApp() {
  // First, so that it runs after the clean-up below.
  leakGate()
  let dataDir: string
  let site: TestSite | undefined
  let model: FakeModelServer | undefined
  let started: AuthorizationApp | undefined
  const clients = new Map<string, Client>()

  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'tabwire-matrix-'))
    await seedEmbeddedDatabase(dataDir)
    const store = await openStore({ kind: 'embedded' }, { dataDir, logger: createLogger('silent') })
    const ann = await keepOneOfEach(store, 'admin', MARKER)
    const bob = await keepOneOfEach(store, 'bob', 'not secret')
    await store.close()
    site = await startTestSite()
    model = await startFakeModelServer()
    const tabwire = await startTestApp({ dataDir, ai: aiOf(model) })
    const schema = buildClientSchema(await tabwire.query<IntrospectionQuery>(getIntrospectionQuery()))
    started = { tabwire, schema, ann, bob, ...(await startLive(tabwire, site)) }
  }, 120_000)

  afterAll(async () => {
    await started?.tabwire.close()
    await model?.close()
    await site?.close()
    await rm(dataDir, { recursive: true, force: true })
  })

  const app = () => started!
  return {
    app,

    /** The secret of a new key. */
    async keyOf(owner: string, scopes: readonly string[]): Promise<string> {
      const query = 'mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) { secret } }'
      const { createApiKey } = await app().tabwire.query<{ createApiKey: { secret: string } }>(query, {
        input: { name: MARKER, owner, scopes },
      })
      return createApiKey.secret
    },

    /** The response to an operation; for a subscription the first one, over WebSocket. */
    async answerTo(
      { operation, query }: Pick<Case, 'operation' | 'query'>,
      secret: string,
    ): Promise<Answer<Record<string, unknown>>> {
      if (operation !== 'subscription') return app().tabwire.send<Record<string, unknown>>(query, {}, secret)
      const client = clients.get(secret) ?? app().tabwire.client(secret)
      clients.set(secret, client)
      for await (const answer of client.iterate({ query })) return answer as Answer<Record<string, unknown>>
      return {}
    },
  }
}

async function startLive(tabwire: TestApp, site: TestSite) {
  const startArguments = `(input: { idempotencyKey: "matrix", name: "${MARKER}", metadata: { marker: "${MARKER}" }, keepAlive: true, geolocation: { latitude: 1, longitude: 2 },
    initialPrompt: "${site.url}/title?${MARKER}" }, waitUntil: LOADED)`
  const { startSession } = await tabwire.query<{ startSession: { id: string; access: { liveViewUrl: string } } }>(
    `mutation { startSession${startArguments} { id access { liveViewUrl } } }`,
  )
  const live = startSession.id
  const expression = `console.log('${MARKER}'); void new EventSource('/events?${MARKER}'); void fetch('/slow?ms=600000&${MARKER}');
    void (new WebSocket(location.origin.replace('http', 'ws') + '/echo').onopen = ({ target }) => target.send('${MARKER}'))`
  await tabwire.query(
    `mutation ($expression: String!) {
      runActions(sessionId: "${live}", actions: [{ evaluate: { expression: $expression } }, { screenshot: {} },
        { navigate: { url: "http://169.254.169.254/${MARKER}" } }]) { success } }`,
    { expression },
  )
  const progress = `{ session(id: "${live}") { consoleMessageCount networkRequestCount pendingRequestCount
    webSocketMessages(first: 1) { nodes { url } } eventSourceMessages(first: 1) { nodes { url } } } }`
  await vi.waitFor(async () => {
    const webSocketMessages = { nodes: [{ url: `${site.url.replace('http', 'ws')}/echo` }] }
    const eventSourceMessages = { nodes: [{ url: `${site.url}/events?${MARKER}` }] }
    const counts = { consoleMessageCount: 1, networkRequestCount: 1, pendingRequestCount: 2 }
    const session = { ...counts, webSocketMessages, eventSourceMessages }
    expect(await tabwire.query(progress)).toEqual({ session })
  }, WAIT_LIMITS)
  const liveViewToken = new URLSearchParams(new URL(startSession.access.liveViewUrl).hash).get('token')!
  return { live, liveViewToken, startArguments }
}

/** Every root field at least once, with Ann's data; the session that has everything comes first. */
export function rootsOf({ ann, live, startArguments }: AuthorizationApp): Root[] {
  const nodes = Object.entries({ ...ann.nodes, Session: live }).map(([type, id]): Root => {
    const on = { type, need: type === 'ApiKey' ? 'KEYS' : 'READ' } as const
    return { operation: 'query', field: 'node', args: `(id: "${id}")`, on }
  })
  const query = (field: string, args?: string): Root => ({ operation: 'query', field, ...(args && { args }) })
  const mutation = (field: string, args: string, more: Partial<Root> = {}): Root => {
    return { operation: 'mutation', field, args, ...more }
  }
  const follow = (field: string, args: string): Root => ({ operation: 'subscription', field, args })
  const { session: ended, nodes: ids } = ann
  const unknown = (type: string) => `(id: "${encodeGlobalId(type, NOWHERE)}")`
  return [
    ...nodes,
    query('session', `(id: "${live}")`),
    query('sessions', '(first: 1, includeTerminated: true)'),
    query('viewer'),
    query('capacity'),
    query('machines'),
    query('exportLog', `(sessionId: "${ended}", format: HAR)`),
    mutation('startSession', startArguments, { given: null }),
    mutation('terminateSession', `(id: "${ended}")`),
    mutation('terminateSessions', '(filter: { name: "nobody" })'),
    mutation('updateSession', `(id: "${live}", input: { name: "${MARKER}" })`, { given: ['name'] }),
    mutation('deleteArtifact', unknown('Artifact')),
    mutation('deleteProfile', unknown('Profile')),
    mutation(
      'runActions',
      `(sessionId: "${live}", actions: [{ evaluate: { expression: "throw new Error('${MARKER}')" } }])`,
    ),
    mutation('dispatchInput', `(sessionId: "${live}", events: [{ text: { text: "a" } }])`),
    mutation('uploadArtifact', `(sessionId: "${ended}", name: "${MARKER}.txt", base64: "")`),
    mutation('createUpload', `(sessionId: "${ended}", name: "${MARKER}.txt")`),
    mutation('startTask', `(sessionId: "${ended}", input: { prompt: "${MARKER}" })`, { fails: true }),
    mutation('cancelTask', `(id: "${ids['Task']}")`),
    mutation('saveProfile', `(sessionId: "${live}", name: "${MARKER}")`),
    mutation('createApiKey', '(input: { name: "of the matrix", scopes: [KEYS] })'),
    mutation('revokeApiKey', `(id: "${ids['ApiKey']}")`),
    follow('sessionChanged', `(id: "${live}")`),
    follow('sessionEvents', `(sessionId: "${ended}")`),
    follow('consoleMessages', `(sessionId: "${ended}")`),
    follow('networkRequests', `(sessionId: "${ended}")`),
    follow('webSocketMessages', `(sessionId: "${ended}")`),
    follow('machinesChanged', ''),
    follow('eventSourceMessages', `(sessionId: "${ended}")`),
    follow('screencast', `(sessionId: "${live}")`),
  ]
}
