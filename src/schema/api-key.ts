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
    WRITE: 'Starting, changing and ending sessions.',
    CONNECT: 'Connecting a Playwright or Puppeteer client to a session.',
    ADMIN: 'Creating and revoking API keys, for every owner.',
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
    name: t.string({
      required: true,
      description: 'For people. 1 to 100 characters, none of them a control character.',
    }),
    owner: t.string({
      description:
        'Whose sessions it opens: 1 to 100 letters, digits and . _ @ + - characters. Absent or null: the caller’s own owner.',
    }),
    scopes: t.field({
      type: [ScopeEnum],
      required: true,
      description: 'What it allows: at least one, and none that the caller’s own key lacks.',
    }),
    expiresAt: t.field({
      type: 'DateTime',
      description: 'When it ceases to work; in the future. Absent or null: never.',
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

// A key that could make keys could make wider ones than itself. So making and revoking them asks for ADMIN, which may
// give every scope and act for every owner; no narrower key can widen itself.
builder.mutationFields((t) => ({
  createApiKey: t.field({
    type: CreatedApiKey,
    description: 'Makes an API key. Needs the scope ADMIN. Errors: FORBIDDEN, BAD_USER_INPUT.',
    extensions: COST.change,
    args: { input: t.arg({ type: CreateApiKeyInput, required: true, description: 'What the key shall be.' }) },
    resolve: (_, { input }, context) => context.apiKeys.create(context.require('ADMIN'), input),
  }),
  revokeApiKey: t.field({
    type: ApiKey,
    description:
      'Revokes an API key, for good: connections that were opened with it are closed. Idempotent. Needs the scope ADMIN. Errors: FORBIDDEN, NOT_FOUND.',
    extensions: COST.change,
    args: { id: t.arg.id({ required: true, description: 'The id of the key.' }) },
    resolve: (_, { id }, context) => {
      const principal = context.require('ADMIN')
      const uuid = uuidOf('ApiKey', id)
      if (!uuid) throw new NotFound('API key')
      return context.apiKeys.revoke(principal, uuid)
    },
  }),
}))
