import type { Principal } from '../domain/principal.ts'
import { SCOPES } from '../ports/store.ts'
import { ApiKey, ScopeEnum } from './api-key.ts'
import { builder } from './builder.ts'
import { COST } from './cost.ts'

export const Viewer = builder.objectRef<Principal>('Viewer').implement({
  description: 'Who is asking.',
  fields: (t) => ({
    owner: t.exposeString('owner', { description: 'Whose sessions the key opens.' }),
    scopes: t.field({
      type: [ScopeEnum],
      description: 'What the key allows.',
      resolve: ({ scopes }) => SCOPES.filter((scope) => scopes.has(scope)),
    }),
    artifactBytes: t.field({
      type: 'SafeInt',
      description: 'Bytes that the artifacts of the same owner take.',
      extensions: COST.page,
      resolve: ({ owner }, _, { artifacts }) => artifacts.usedBytes(owner),
    }),
    artifactQuotaBytes: t.field({
      type: 'SafeInt',
      description: 'Bytes that the artifacts of one owner may take; past them nothing is kept: QUOTA_EXCEEDED.',
      resolve: (_, __, { artifacts }) => artifacts.quotaBytes,
    }),
    apiKeys: t.field({
      type: [ApiKey],
      description:
        'The keys of the same owner, oldest first, revoked and expired ones too. Never their secrets. Errors: FORBIDDEN, RESPONSE_TOO_LARGE.',
      extensions: COST.shortList,
      args: {
        everyOwner: t.arg.boolean({
          required: true,
          defaultValue: false,
          description: 'The keys of every owner instead. Needs the scope ADMIN.',
        }),
      },
      resolve: ({ owner }, { everyOwner }, context) => {
        if (everyOwner) context.require('ADMIN')
        return context.reads.list(() => context.apiKeys.list(everyOwner ? null : owner))
      },
    }),
  }),
})

builder.queryField('viewer', (t) =>
  t.field({
    type: Viewer,
    description: 'Who is asking, and what the key allows.',
    resolve: (_, __, context) => context.require('READ'),
  }),
)
