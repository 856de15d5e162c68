import { ApolloClient, ApolloLink, gql as apolloGql, HttpLink, InMemoryCache } from '@apollo/client'
import { GraphQLWsLink } from '@apollo/client/link/subscriptions'
import { getMainDefinition } from '@apollo/client/utilities'
import { Client as UrqlClient, fetchExchange, gql as urqlGql, subscriptionExchange } from '@urql/core'
import { createClient as createSseClient } from 'graphql-sse'
import { createClient as createSocketClient } from 'graphql-ws'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import WebSocket from 'ws'
import { leakGate } from '../support/leak-gate.ts'
import { sessionApi } from '../support/session-api.ts'
import { startTestApp, type TestApp } from '../support/start-app.ts'
import { startTestSite, type TestSite } from '../support/test-site.ts'

/** The main use case with popular clients, each set up according to its own documentation. */

leakGate()

let site: TestSite
let tabwire: TestApp
const { get } = sessionApi(() => tabwire)

beforeAll(async () => {
  site = await startTestSite()
  tabwire = await startTestApp({ warmBrowsers: 1 })
})

afterAll(async () => {
  await tabwire.close()
  await site.close()
})

const START = `mutation Start($url: String!) {
  startSession(input: {initialPrompt: $url}, waitUntil: LOADED) { __typename id status } }`
const WATCH = `subscription Watch($id: ID!, $after: String) {
  consoleMessages(sessionId: $id, after: $after) { __typename cursor live entries { __typename id sequence text level } } }`
const END = `mutation End($id: ID!) { terminateSession(id: $id) { __typename id status endReason } }`
const HISTORY = `query History($id: ID!, $after: String) { session(id: $id) { __typename id consoleMessages(first: 1000, after: $after) {
  nodes { __typename id sequence text level } pageInfo { __typename hasNextPage endCursor } } } }`

interface Watched {
  consoleMessages: { cursor: string; live: boolean; entries: { sequence: number; text: string }[] }
}
type Started = { startSession: { id: string; status: string } }
type Ended = { terminateSession: { id: string; status: string; endReason: string } }
interface Kept {
  session: {
    consoleMessages: {
      nodes: { sequence: number; text: string }[]
      pageInfo: { hasNextPage: boolean; endCursor: string }
    }
  }
}

/** Operations that every client must support, in its own API. */
interface ClientUnderTest {
  ask<T>(document: string, variables: Record<string, unknown>): Promise<T>
  /** Calls back for each batch until the server completes the subscription. */
  watch(variables: Record<string, unknown>, onBatch: (batch: Watched['consoleMessages']) => void): Promise<void>
  close(): void | Promise<void>
}

const endpoint = () => `${tabwire.url}/graphql`
const socketEndpoint = () => endpoint().replace('http', 'ws')
const socketClient = () =>
  createSocketClient({
    url: socketEndpoint(),
    webSocketImpl: WebSocket,
    connectionParams: { 'X-API-Key': tabwire.apiKey },
  })

function apolloClient(link: ApolloLink, close: () => void | Promise<void>): ClientUnderTest {
  const client = new ApolloClient({ link, cache: new InMemoryCache() })
  return {
    async ask<T>(document: string, variables: Record<string, unknown>) {
      const parsed = apolloGql(document)
      const isMutation = document.startsWith('mutation')
      const { data } = isMutation
        ? await client.mutate({ mutation: parsed, variables })
        : await client.query({ query: parsed, variables })
      return data as T
    },
    watch: (variables, onBatch) =>
      new Promise((resolve, reject) => {
        client.subscribe<Watched>({ query: apolloGql(WATCH), variables }).subscribe({
          next: ({ data, error }) =>
            data ? onBatch(data.consoleMessages) : reject(new Error('no data', { cause: error })),
          error: reject,
          complete: resolve,
        })
      }),
    async close() {
      client.stop()
      await close()
    },
  }
}

const clients: Record<string, () => ClientUnderTest> = {
  'Apollo Client, over graphql-ws'() {
    const socket = socketClient()
    const link = ApolloLink.split(
      ({ query }) => {
        const definition = getMainDefinition(query)
        return definition.kind === 'OperationDefinition' && definition.operation === 'subscription'
      },
      new GraphQLWsLink(socket),
      new HttpLink({ uri: endpoint(), headers: { authorization: `Bearer ${tabwire.apiKey}` } }),
    )
    return apolloClient(link, () => socket.dispose())
  },

  'Apollo Client, over its own HttpLink alone'() {
    const link = new HttpLink({ uri: endpoint(), headers: { authorization: `Bearer ${tabwire.apiKey}` } })
    return apolloClient(link, () => {})
  },

  'urql, over graphql-ws'() {
    const socket = socketClient()
    const client = new UrqlClient({
      url: endpoint(),
      preferGetMethod: false,
      fetchOptions: { headers: { 'x-api-key': tabwire.apiKey } },
      exchanges: [
        fetchExchange,
        subscriptionExchange({
          forwardSubscription: ({ query, variables }) => ({
            subscribe: (sink) => ({ unsubscribe: socket.subscribe({ query: query ?? '', variables }, sink) }),
          }),
        }),
      ],
    })
    return {
      async ask<T>(document: string, variables: Record<string, unknown>) {
        const parsed = urqlGql(document)
        const isMutation = document.startsWith('mutation')
        const { data, error } = await (isMutation
          ? client.mutation(parsed, variables)
          : client.query(parsed, variables))
        if (error) throw error
        return data as T
      },
      watch: (variables, onBatch) =>
        new Promise((resolve, reject) => {
          client.subscription<Watched>(urqlGql(WATCH), variables).subscribe(({ data, error, hasNext }) => {
            if (error) reject(error)
            // At the end urql delivers the last result again, marked.
            else if (hasNext === false) resolve()
            else if (data) onBatch(data.consoleMessages)
          })
        }),
      close: () => socket.dispose(),
    }
  },

  'graphql-ws alone, mutations too'() {
    const socket = socketClient()
    return {
      async ask<T>(query: string, variables: Record<string, unknown>) {
        const { value } = await socket.iterate<T & Record<string, unknown>>({ query, variables }).next()
        return (value as { data: T }).data
      },
      async watch(variables, onBatch) {
        const batches = socket.iterate<Watched & Record<string, unknown>>({ query: WATCH, variables })
        for await (const { data } of batches) onBatch(data!.consoleMessages)
      },
      close: () => socket.dispose(),
    }
  },

  'fetch, and graphql-sse for the subscription'() {
    const headers = { 'x-api-key': tabwire.apiKey }
    const sse = createSseClient({ url: endpoint(), headers })
    return {
      ask: <T>(query: string, variables: Record<string, unknown>) => tabwire.query<T>(query, variables),
      watch: (variables, onBatch) =>
        new Promise((resolve, reject) => {
          sse.subscribe<Watched & Record<string, unknown>>(
            { query: WATCH, variables },
            { next: ({ data }) => onBatch(data!.consoleMessages), error: reject, complete: resolve },
          )
        }),
      close: () => sse.dispose(),
    }
  },
}

describe.each(Object.keys(clients))('%s', (name) => {
  test('starts a session, watches it live, ends it, resumes at a cursor, and reads the same from history', async () => {
    const client = clients[name]!()
    const { startSession } = await client.ask<Started>(START, { url: `${site.url}/ticker?ms=10` })
    const { id } = startSession
    // The server waits for 30 s, in which a browser may not have started where too much else runs.
    await expect.poll(async () => (await get(id))?.status).toBe('RUNNING')
    const seen: { sequence: number; text: string }[] = []
    let middle: { cursor: string; count: number } | null = null
    let ending: Promise<Ended> | null = null
    await client.watch({ id }, (batch) => {
      seen.push(...batch.entries)
      if (seen.length >= 10) middle ??= { cursor: batch.cursor, count: seen.length }
      if (seen.length >= 30) ending ??= client.ask<Ended>(END, { id })
    })
    expect((await ending!).terminateSession).toMatchObject({ id, status: 'CLOSED', endReason: 'TERMINATED' })
    // The page ticks on until the session has ended: there may be more lines than a page holds.
    const kept: typeof seen = []
    for (let after: string | null = null, more = true; more;) {
      const { session }: Kept = await client.ask<Kept>(HISTORY, { id, after })
      kept.push(...session.consoleMessages.nodes)
      more = session.consoleMessages.pageInfo.hasNextPage
      after = session.consoleMessages.pageInfo.endCursor
    }
    expect(seen).toEqual(kept)
    const resumed: typeof seen = []
    await client.watch({ id, after: middle!.cursor }, (batch) => resumed.push(...batch.entries))
    expect(resumed).toEqual(seen.slice(middle!.count))
    await client.close()
  })
})
