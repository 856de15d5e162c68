import type { Scope } from '../ports/access/scope.ts'
import type { KeyAdmin, ListedKey } from './key-admin.ts'
import { serverApi } from './server-api.ts'

const KEY_FIELDS = 'id name owner scopes createdAt lastUsedAt expiresAt revokedAt'

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

/** The keys through the API of the running server: only that process can open the embedded database. */
export function keysThroughServer(url: string, adminKey: string): KeyAdmin {
  const ask = serverApi(url, adminKey)
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
