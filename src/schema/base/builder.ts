import SchemaBuilder from '@pothos/core'
import ScopeAuthPlugin, { type AuthFailure } from '@pothos/plugin-scope-auth'
import { GraphQLDateTime, GraphQLJSON, GraphQLSafeInt } from 'graphql-scalars'
import { SCOPES, type Scope } from '../../ports/scope.ts'
import type { Context } from './context.ts'
import type { Needs } from './needs.ts'

/**
 * Every type of the API is made with this builder. What may be null says so: `nullable: true`. Who may see it or do it
 * says so too: `authScopes`, of needs.ts.
 */
export const builder = new SchemaBuilder<{
  Context: Context
  AuthScopes: Needs
  DefaultFieldNullability: false
  Scalars: {
    /** In: a Date. Out: milliseconds since the epoch, as the domain counts, which become text. */
    DateTime: { Input: Date; Output: number | string }
    JSON: { Input: unknown; Output: unknown }
    SafeInt: { Input: number; Output: number }
    ID: { Input: string; Output: string }
  }
}>({
  defaultFieldNullability: false,
  plugins: [ScopeAuthPlugin],
  scopeAuth: {
    authScopes: (context) => ({
      READ: context.allows('READ'),
      WRITE: context.allows('WRITE'),
      CONNECT: context.allows('CONNECT'),
      KEYS: context.allows('KEYS'),
      ADMIN: context.allows('ADMIN'),
      liveViewLink: context.isLiveViewLink,
      liveView: ({ sessionId, scope }) => {
        context.requireLiveView(sessionId, scope)
        return true
      },
      caller: true,
    }),
    runScopesOnType: true,
    authorizeOnSubscribe: true,
    unauthorizedError: (_parent, context, _info, { failure }) => context.refusalOf(lackingScopes(failure)),
  },
})

/** The scopes of which any would have been enough. */
function lackingScopes(failure: AuthFailure): Scope[] {
  if ('failures' in failure) return failure.failures.flatMap(lackingScopes)
  return 'scope' in failure ? SCOPES.filter((scope) => scope === failure.scope) : []
}

builder.addScalarType('DateTime', GraphQLDateTime, {
  description:
    'A moment in UTC as RFC 3339 writes it, to the millisecond: "2026-11-22T21:13:01.250Z". Other offsets are accepted as input.',
  // A Date would be turned into text later, one by one, while the answer is written: a fifth of what an entry costs.
  serialize: (milliseconds) => new Date(Number(milliseconds)).toISOString(),
})
builder.addScalarType('JSON', GraphQLJSON, {
  description:
    'Any JSON value. Where an object is meant, the description of the field says so. Texts in it are well-formed Unicode without U+0000.',
})
builder.addScalarType('SafeInt', GraphQLSafeInt, {
  description: 'A whole number of up to 53 bits, for byte counts, which outgrow Int.',
})

builder.queryType({
  description:
    'What can be read. Every field needs an API key with the scope READ; viewer and node serve keys with the scope KEYS as well. A field that the key has no scope for is FORBIDDEN, wherever it is selected. A response of more than 16 MiB is RESPONSE_TOO_LARGE. While the database is away or cannot be written, operations of any type fail with DATABASE_UNAVAILABLE; try again after retryAfterSeconds.',
})
builder.mutationType({
  description:
    'What can be changed. Every field needs an API key with the scope WRITE (dispatchInput: or a link to the live view); createApiKey and revokeApiKey need KEYS instead, and ADMIN as well for API keys of another owner. What a mutation returns shows a key without READ its id, its status and its times, and what the key itself has just given; every other field is FORBIDDEN, after the mutation has taken effect.',
})
builder.subscriptionType({
  description:
    'What can be followed, over WebSocket (graphql-transport-ws) or server-sent events. Every field needs an API key with the scope READ (screencast: or a link to the live view); when the key expires or is revoked, the connection is closed.',
})
