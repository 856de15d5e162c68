import { CREATE_API_KEY_INPUT, SCOPE, type CreateApiKeyInput } from '../../domain/keys/api-key-input.ts'
import { NotFound } from '../../domain/kernel/errors.ts'
import type { ApiKeyRecord } from '../../ports/access/api-key.ts'
import { builder } from '../base/builder.ts'
import { COST } from '../base/complexity.ts'
import { enumTypeOf, inputTypeOf } from '../base/input-type.ts'
import { uuidOf } from '../../contract/global-id.ts'
import { NEEDS } from '../base/needs.ts'
import { foundByUuid } from '../base/node.ts'

export const ScopeEnum = enumTypeOf(SCOPE)

export const ApiKey = builder.node(builder.objectRef<ApiKeyRecord>('ApiKey'), {
  ...foundByUuid('KEYS', (owner, uuid, { apiKeys }) => apiKeys.find(owner, uuid)),
  id: { description: 'Of this key; not its secret.', resolve: ({ id }) => id },
  authScopes: NEEDS.keys,
  description: 'A key that authenticates clients of one owner. Its secret is shown once and kept only as a hash.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Display name.' }),
    owner: t.exposeString('owner', { description: 'Owner of the key.' }),
    scopes: t.expose('scopes', { type: [ScopeEnum], description: 'Scopes of the key.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was made.' }),
    lastUsedAt: t.expose('lastUsedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it was last used, to within a minute or so. Null when it never was.',
    }),
    expiresAt: t.expose('expiresAt', {
      type: 'DateTime',
      nullable: true,
      description: 'Expiration time. Null: never.',
    }),
    revokedAt: t.expose('revokedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it was revoked. Null: it was not.',
    }),
  }),
})

const CreateInput = inputTypeOf(CREATE_API_KEY_INPUT)

const CreatedApiKey = builder.objectRef<{ record: ApiKeyRecord; secret: string }>('CreatedApiKey').implement({
  authScopes: NEEDS.keys,
  description: 'A new key and its secret.',
  fields: (t) => ({
    apiKey: t.expose('record', { type: ApiKey, description: 'The key.' }),
    secret: t.exposeString('secret', {
      description: 'To be sent as X-API-Key or Authorization: Bearer. Shown this once.',
    }),
  }),
})

// The domain ensures that no key creates one with more scopes or a later expiration, and that only ADMIN acts for
// another owner.
builder.mutationFields((t) => ({
  createApiKey: t.field({
    type: CreatedApiKey,
    authScopes: NEEDS.keys,
    description:
      'Creates an API key, which neither has a scope that the caller’s key lacks nor expires later. Revoking the caller’s key does not revoke it. Needs the scope KEYS, and ADMIN as well for another owner. Errors: FORBIDDEN, BAD_USER_INPUT.',
    extensions: COST.change,
    args: { input: t.arg({ type: CreateInput, required: true, description: 'The key to create.' }) },
    resolve: (_, { input }, context) => context.apiKeys.create(context.require('KEYS'), input as CreateApiKeyInput),
  }),
  revokeApiKey: t.field({
    type: ApiKey,
    authScopes: NEEDS.keys,
    description:
      'Revokes an API key, for good: connections that were opened with it are closed. Idempotent. Needs the scope KEYS. A key with a scope that the caller’s key lacks is FORBIDDEN without ADMIN, and another owner’s NOT_FOUND. Errors: FORBIDDEN, NOT_FOUND.',
    extensions: COST.change,
    args: { id: t.arg.id({ required: true, description: 'The id of the key.' }) },
    resolve: (_, { id }, context) => {
      const principal = context.require('KEYS')
      const uuid = uuidOf('ApiKey', id)
      if (!uuid) throw new NotFound('API key')
      return context.apiKeys.revoke(principal, uuid)
    },
  }),
}))
