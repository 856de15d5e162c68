import type { Principal } from '../../domain/kernel/principal.ts'
import { SCOPES } from '../../ports/access/scope.ts'
import { ApiKey, ScopeEnum } from './api-key.ts'
import { builder } from '../base/builder.ts'
import { COST } from '../base/complexity.ts'
import { NEEDS } from '../base/needs.ts'

export const Viewer = builder.objectRef<Principal>('Viewer').implement({
  authScopes: NEEDS.readOrKeys,
  description: 'The caller.',
  fields: (t) => ({
    owner: t.exposeString('owner', { authScopes: NEEDS.readOrKeys, description: 'Owner of the key.' }),
    scopes: t.field({
      authScopes: NEEDS.readOrKeys,
      type: [ScopeEnum],
      description: 'Scopes of the key.',
      resolve: ({ scopes }) => SCOPES.filter((scope) => scopes.has(scope)),
    }),
    artifactBytes: t.field({
      authScopes: NEEDS.read,
      type: 'SafeInt',
      description: 'Bytes used by the owner’s artifacts.',
      extensions: COST.page,
      resolve: ({ owner }, _, { artifacts }) => artifacts.usedBytes(owner),
    }),
    bodyBytes: t.field({
      authScopes: NEEDS.read,
      type: 'SafeInt',
      description: 'Bytes used by the owner’s stored bodies; those of 16 KiB or less are part of the log.',
      extensions: COST.page,
      resolve: ({ owner }, _, { bodies }) => bodies.usedBytes(owner),
    }),
    artifactQuotaBytes: t.field({
      authScopes: NEEDS.read,
      type: 'SafeInt',
      description:
        'Maximum bytes of the artifacts and stored bodies of one owner; beyond it no artifact is stored (QUOTA_EXCEEDED), and no body (bodyOmitted QUOTA).',
      resolve: (_, __, { artifacts }) => artifacts.quotaBytes,
    }),
    apiKeys: t.field({
      authScopes: (_, { everyOwner }) => (everyOwner ? NEEDS.keysOfEveryOwner : NEEDS.keys),
      type: [ApiKey],
      description:
        'API keys of the same owner, oldest first, revoked and expired ones too. Never their secrets. Needs the scope KEYS. Errors: FORBIDDEN, RESPONSE_TOO_LARGE.',
      extensions: COST.shortList,
      args: {
        everyOwner: t.arg.boolean({
          required: true,
          defaultValue: false,
          description: 'True: keys of every owner. Needs the scope ADMIN as well.',
        }),
      },
      resolve: ({ owner }, { everyOwner }, context) => {
        context.require('KEYS')
        if (everyOwner) context.require('ADMIN')
        return context.reads.list(() => context.apiKeys.list(everyOwner ? null : owner))
      },
    }),
  }),
})

builder.queryField('viewer', (t) =>
  t.field({
    type: Viewer,
    authScopes: NEEDS.readOrKeys,
    description: 'The caller, and the scopes of its key.',
    resolve: (_, __, context) => context.require('READ', 'KEYS'),
  }),
)
