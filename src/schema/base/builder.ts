import SchemaBuilder from '@pothos/core'
import RelayPlugin from '@pothos/plugin-relay'
import ScopeAuthPlugin, { type AuthFailure } from '@pothos/plugin-scope-auth'
import { GraphQLDateTime, GraphQLJSON, GraphQLSafeInt } from 'graphql-scalars'
import { encodeGlobalId } from '../../contract/global-id.ts'
import { SCOPES, type Scope } from '../../ports/access/scope.ts'
import { COST } from './complexity.ts'
import type { Context } from './context.ts'
import { NEEDS, type Needs } from './needs.ts'
import { decodeNodeId, isNodeType } from './node.ts'

/**
 * Builder of every type of the API. Nullability is explicit: `nullable: true`. So is authorization: `authScopes`,
 * from needs.ts.
 */
export const builder = new SchemaBuilder<{
  Context: Context
  AuthScopes: Needs
  /** Fields that connections have beyond the Relay ones. */
  Connection: { totalCount: () => Promise<number> }
  DefaultFieldNullability: false
  DefaultEdgesNullability: false
  DefaultNodeNullability: false
  Scalars: {
    /** In: a Date. Out: milliseconds since the epoch, as used in the domain, serialized to text. */
    DateTime: { Input: Date; Output: number | string }
    JSON: { Input: unknown; Output: unknown }
    SafeInt: { Input: number; Output: number }
    ID: { Input: string; Output: string }
  }
}>({
  defaultFieldNullability: false,
  plugins: [ScopeAuthPlugin, RelayPlugin],
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
  relay: {
    encodeGlobalID: (typename, uuid) => encodeGlobalId(typename, String(uuid)),
    decodeGlobalID: decodeNodeId,
    idFieldOptions: {
      description: 'Opaque, and the same everywhere: in the API, in links, in log lines and on the command line.',
    },
    nodeTypeOptions: { description: 'An object with a global id by which it can be fetched again.' },
    nodeQueryOptions: {
      authScopes: NEEDS.readOrKeys,
      description:
        'The node of this id. Null when the id is malformed, unknown, or of something that belongs to another owner: all alike. An ApiKey needs the scope KEYS, every other node READ. Errors: FORBIDDEN.',
      args: { id: { description: 'The id of any node.' } },
      // The plugin would throw for an id that is malformed, or of a type that is not a node.
      resolve: (_, { id }, __, { schema }, resolveNode) => (isNodeType(schema, id.typename) ? resolveNode(id) : null),
    },
    nodesQueryOptions: false,
    cursorType: 'String',
    edgesFieldOptions: { nullable: false, description: 'The same with the cursor of each.', extensions: COST.onPage },
    nodeFieldOptions: { nullable: false },
    nodesOnConnection: { description: 'Nodes of the page, in order.', extensions: COST.onPage },
    pageInfoFieldOptions: { description: 'Position of the page in the list.' },
    pageInfoTypeOptions: { authScopes: NEEDS.read, description: 'Position of a page of a connection.' },
    hasNextPageFieldOptions: {
      description:
        'True when more may follow after endCursor. A page of large items is short when it reaches 4 MiB, and a filter that finds little may return a short page, even an empty one, with hasNextPage true: continue from endCursor.',
    },
    hasPreviousPageFieldOptions: { description: 'True when more may lie before startCursor.' },
    startCursorFieldOptions: {
      description: 'The cursor to read backward from, as `before`. Null if the page is empty.',
    },
    endCursorFieldOptions: {
      description: 'The cursor to continue from, as `after`. Null if the page is empty.',
    },
    cursorFieldOptions: { description: 'The place, for `after` and `before`.' },
    defaultConnectionTypeOptions: { authScopes: NEEDS.read },
    defaultEdgeTypeOptions: { authScopes: NEEDS.read },
  },
})

/** The scopes, any of which would have been sufficient. */
function lackingScopes(failure: AuthFailure): Scope[] {
  if ('failures' in failure) return failure.failures.flatMap(lackingScopes)
  return 'scope' in failure ? SCOPES.filter((scope) => scope === failure.scope) : []
}

builder.addScalarType('DateTime', GraphQLDateTime, {
  description:
    'A moment in UTC as RFC 3339 writes it, to the millisecond: "2026-11-22T21:13:01.250Z". Other offsets are accepted as input.',
  // A Date would be serialized later, one by one, while the response is written: a fifth of an entry's cost.
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
    'Queries. Every field needs an API key with the scope READ; viewer and node serve keys with the scope KEYS as well, and machines needs ADMIN instead. A field that the key has no scope for is FORBIDDEN, wherever it is selected. A response of more than 16 MiB is RESPONSE_TOO_LARGE. While the database is unavailable or read-only, operations of any type fail with DATABASE_UNAVAILABLE; try again after retryAfterSeconds.',
})
builder.mutationType({
  description:
    'Mutations. Every field needs an API key with the scope WRITE (dispatchInput: or a link to the live view); createApiKey and revokeApiKey need KEYS instead, and ADMIN as well for API keys of another owner. Of the result of a mutation, a key without READ sees the id, status and times, and its own input; every other field is FORBIDDEN, after the mutation has taken effect.',
})
builder.subscriptionType({
  description:
    'Subscriptions, over WebSocket (graphql-transport-ws), server-sent events or multipart HTTP. Every field needs an API key with the scope READ (screencast: or a link to the live view; machinesChanged: ADMIN instead); when the key expires or is revoked, the connection is closed.',
})
