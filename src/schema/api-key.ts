import { API_KEY_INPUT_RULES } from '../domain/api-keys.ts'
import { NotFound } from '../domain/errors.ts'
import type { ApiKeyRecord, Scope } from '../ports/store.ts'
import { builder } from './builder.ts'
import { COST } from './cost.ts'
import { describedValues } from './enum-values.ts'
import { encodeGlobalId, uuidOf } from './global-id.ts'
import { NodeInterface, registerNode } from './node.ts'

export const ScopeEnum = builder.enumType('Scope', {
  description: 'What an API key allows. None includes another.',
  values: describedValues<Scope>({
    READ: 'Queries and subscriptions.',
    WRITE: 'Starting, changing and ending sessions; creating and revoking the owner’s own API keys.',
    CONNECT: 'Connecting a Playwright or Puppeteer client to a session.',
    KEYS: 'Listing, creating and revoking API keys of the owner.',
    ADMIN: 'Keys of other owners: listing them, and with WRITE creating and revoking them.',
  }),
})

export const ApiKey = builder.objectRef<ApiKeyRecord>('ApiKey').implement({
  description: 'A key that authenticates clients of one owner. Its secret is shown once and kept only as a hash.',
  interfaces: [NodeInterface],
  fields: (t) => ({
    id: t.id({ description: 'Of this key; not its secret.', resolve: ({ id }) => encodeGlobalId('ApiKey', id) }),
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

registerNode('ApiKey', async (id, owner, { apiKeys }) => (id.number === null ? apiKeys.find(owner, id.uuid) : null))

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
      description: `When it ceases to work. ${API_KEY_INPUT_RULES.expiresAt} Absent or null: never.`,
    }),
  }),
})

const CreatedApiKey = builder.objectRef<{ record: ApiKeyRecord; secret: string }>('CreatedApiKey').implement({
  description: 'A new key and its secret.',
  fields: (t) => ({
    apiKey: t.expose('record', { type: ApiKey, description: 'The key.' }),
    secret: t.exposeString('secret', {
      description: 'To be sent as X-API-Key or Authorization: Bearer. Shown this once.',
    }),
  }),
})

// The domain sees to it that no key makes a wider one than itself, and that only ADMIN acts for another owner.
builder.mutationFields((t) => ({
  createApiKey: t.field({
    type: CreatedApiKey,
    description:
      'Makes an API key. Needs the scope WRITE, and ADMIN as well for another owner. Errors: FORBIDDEN, BAD_USER_INPUT.',
    extensions: COST.change,
    args: { input: t.arg({ type: CreateApiKeyInput, required: true, description: 'What the key shall be.' }) },
    resolve: (_, { input }, context) => context.apiKeys.create(context.require('WRITE'), input),
  }),
  revokeApiKey: t.field({
    type: ApiKey,
    description:
      'Revokes an API key, for good: connections that were opened with it are closed. Idempotent. Needs the scope WRITE, and ADMIN as well for another owner’s: without it, they are NOT_FOUND. Errors: FORBIDDEN, NOT_FOUND.',
    extensions: COST.change,
    args: { id: t.arg.id({ required: true, description: 'The id of the key.' }) },
    resolve: (_, { id }, context) => {
      const principal = context.require('WRITE')
      const uuid = uuidOf('ApiKey', id)
      if (!uuid) throw new NotFound('API key')
      return context.apiKeys.revoke(principal, uuid)
    },
  }),
}))
