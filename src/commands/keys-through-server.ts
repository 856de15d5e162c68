import type { Scope } from '../ports/store.ts'
import { StartupFailed } from '../startup-failed.ts'
import type { KeyRing, ListedKey } from './key-ring.ts'

const KEY_FIELDS = 'id name owner scopes createdAt lastUsedAt expiresAt revokedAt'
const TIMEOUT_MS = 15_000

interface WireKey {
  id: string
  name: string
  owner: string
  scopes: Scope[]
  createdAt: string
  lastUsedAt: string | null
  expiresAt: string | null
  revokedAt: string | null
}

const dateOf = (text: string | null) => (text === null ? null : new Date(text))

function toListed(key: WireKey): ListedKey {
  return {
    ...key,
    createdAt: new Date(key.createdAt),
    lastUsedAt: dateOf(key.lastUsedAt),
    expiresAt: dateOf(key.expiresAt),
    revokedAt: dateOf(key.revokedAt),
  }
}

/** The keys through the API of the running server: the embedded database is open in it, and in it alone. */
export function keysThroughServer(url: string, adminKey: string): KeyRing {
  const ask = async <T>(query: string, variables: Record<string, unknown> = {}): Promise<T> => {
    const response = await fetch(new URL('graphql', `${url.replace(/\/*$/, '')}/`), {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json', 'x-api-key': adminKey },
      body: JSON.stringify({ query, variables }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    }).catch((error: unknown) => {
      throw new StartupFailed(`The running server at ${url} does not answer: try again, or stop it first.`, {
        cause: error,
      })
    })
    const answer = (await response.json().catch(() => ({}))) as {
      data?: T | null
      errors?: { message: string; extensions?: { code?: string } }[]
    }
    if (answer.errors?.[0]?.extensions?.code === 'UNAUTHENTICATED') {
      throw new StartupFailed(
        'The running server refuses the admin key: set TABWIRE_API_KEY to the one that the server was started with.',
      )
    }
    if (answer.errors?.length) throw new StartupFailed(answer.errors.map(({ message }) => message).join('\n'))
    if (!answer.data) throw new StartupFailed(`The server at ${url} answered with HTTP ${response.status}.`)
    return answer.data
  }

  return {
    async create(input) {
      const { createApiKey } = await ask<{ createApiKey: { apiKey: { id: string }; secret: string } }>(
        'mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) { apiKey { id } secret } }',
        { input },
      )
      return { id: createApiKey.apiKey.id, secret: createApiKey.secret }
    },
    async list() {
      const { viewer } = await ask<{ viewer: { apiKeys: WireKey[] } }>(
        `{ viewer { apiKeys(everyOwner: true) { ${KEY_FIELDS} } } }`,
      )
      return viewer.apiKeys.map(toListed)
    },
    async revoke(id) {
      const { revokeApiKey } = await ask<{ revokeApiKey: WireKey }>(
        `mutation ($id: ID!) { revokeApiKey(id: $id) { ${KEY_FIELDS} } }`,
        { id },
      )
      return toListed(revokeApiKey)
    },
  }
}
