import { ApiKeys, FIRST_OWNER } from '../domain/keys/api-keys.ts'
import { NotFound } from '../domain/kernel/errors.ts'
import type { Principal } from '../domain/kernel/principal.ts'
import type { Logger } from '../logger.ts'
import { SCOPES } from '../ports/access/scope.ts'
import type { ApiKeyRecord } from '../ports/access/api-key.ts'
import type { Store } from '../ports/store/store.ts'
import { encodeGlobalId, uuidOf } from '../contract/global-id.ts'
import type { KeyAdmin, ListedKey } from './key-admin.ts'

/** Anyone who can open the database has full access. */
const COMMAND_LINE: Principal = {
  owner: FIRST_OWNER,
  scopes: new Set(SCOPES),
  actor: 'key:',
  apiKeyId: '',
  expiresAt: null,
  sessionId: null,
}

const dateOf = (time: number | null) => (time === null ? null : new Date(time))

function toListed(record: ApiKeyRecord): ListedKey {
  return {
    id: encodeGlobalId('ApiKey', record.id),
    name: record.name,
    owner: record.owner,
    scopes: record.scopes,
    createdAt: new Date(record.createdAt),
    lastUsedAt: dateOf(record.lastUsedAt),
    expiresAt: dateOf(record.expiresAt),
    revokedAt: dateOf(record.revokedAt),
  }
}

/** The keys in the database. A running server notices a revocation within seconds. */
export function keysInDatabase(store: Store, logger: Logger): KeyAdmin {
  const keys = new ApiKeys(store, logger)
  return {
    async create({ owner, ...key }) {
      const { record, secret } = await keys.createFor(owner, key)
      return { id: encodeGlobalId('ApiKey', record.id), secret }
    },
    async list() {
      return (await store.listApiKeys(null)).map(toListed)
    },
    async revoke(id) {
      const uuid = uuidOf('ApiKey', id)
      if (!uuid) throw new NotFound('API key')
      return toListed(await keys.revoke(COMMAND_LINE, uuid))
    },
  }
}
