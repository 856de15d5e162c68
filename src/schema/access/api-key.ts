import { API_KEY_INPUT_RULES } from '../../domain/keys/api-keys.ts'
import { NotFound } from '../../domain/kernel/errors.ts'
import type { ApiKeyRecord } from '../../ports/api-key.ts'
import type { Scope } from '../../ports/scope.ts'
import { builder } from '../base/builder.ts'
import { COST } from '../base/complexity.ts'
import { describedValues } from '../base/enum-values.ts'
import { uuidOf } from '../../contract/global-id.ts'
import { NEEDS } from '../base/needs.ts'
import { foundByUuid } from '../base/node.ts'

export const ScopeEnum = builder.enumType('Scope', {
  description: 'What an API key allows. Scopes are independent: none includes another.',
  values: describedValues<Scope>({
    READ: 'Queries and subscriptions, and what mutations return.',
    WRITE:
      'Mutations: starting, changing, driving and ending sessions. Alone it shows of a result no more than its id, status and times, and what the caller has just given.',
    CONNECT:
      'Connecting a Playwright or Puppeteer client to a session, which may then read and do whatever its browser can.',
    KEYS: 'Listing, creating and revoking API keys of the same owner, none of them with a scope that the key lacks.',
    ADMIN:
      'With KEYS: listing, creating and revoking API keys of every owner, and revoking keys with scopes that the key lacks.',
  }),
})

export const ApiKey = builder.node(builder.objectRef<ApiKeyRecord>('ApiKey'), {
  ...foundByUuid('KEYS', (owner, uuid, { apiKeys }) => apiKeys.find(owner, uuid)),
  id: { description: 'Of this key; not its secret.', resolve: ({ id }) => id },
  authScopes: NEEDS.keys,
  description: 'A key that authenticates clients of one owner. Its secret is shown once and kept only as a hash.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'For people.' }),
    owner: t.exposeString('owner', { description: 'Whose sessions it opens.' }),
    scopes: t.expose('scopes', { type: [ScopeEnum], description: 'What it allows.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was made.' }),
    lastUsedAt: t.expose('lastUsedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it was last used, to within a minute or so. Null when it never was.',
    }),
    expiresAt: t.expose('expiresAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it ceases to work. Null: never.',
    }),
    revokedAt: t.expose('revokedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it was revoked. Null: it was not.',
    }),
  }),
})

const CreateApiKeyInput = builder.inputType('CreateApiKeyInput', {
  description: 'A new API key. Rules that are broken are reported all together, as BAD_USER_INPUT.',
  fields: (t) => ({
    name: t.string({ required: true, description: `For people. ${API_KEY_INPUT_RULES.name}` }),
    owner: t.string({
      description: `Whose sessions it opens. ${API_KEY_INPUT_RULES.owner} Absent or null: the caller’s own owner; another needs the scope ADMIN.`,
    }),
    scopes: t.field({
      type: [ScopeEnum],
      required: true,
      description: `What it allows. ${API_KEY_INPUT_RULES.scopes} None that the caller’s own key lacks.`,
    }),
    expiresAt: t.field({
      type: 'DateTime',
      description: `When it ceases to work. ${API_KEY_INPUT_RULES.expiresAt} Absent or null: when the caller’s own key expires; never if that does not.`,
    }),
  }),
})

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

// The domain sees to it that no key makes one that outranks or outlives it, and that only ADMIN acts for another owner.
builder.mutationFields((t) => ({
  createApiKey: t.field({
    type: CreatedApiKey,
    authScopes: NEEDS.keys,
    description:
      'Creates an API key, which neither has a scope that the caller’s key lacks nor expires later. Revoking the caller’s key does not revoke it. Needs the scope KEYS, and ADMIN as well for another owner. Errors: FORBIDDEN, BAD_USER_INPUT.',
    extensions: COST.change,
    args: { input: t.arg({ type: CreateApiKeyInput, required: true, description: 'The key to create.' }) },
    resolve: (_, { input }, context) => context.apiKeys.create(context.require('KEYS'), input),
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
