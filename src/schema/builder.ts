import SchemaBuilder from '@pothos/core'
import { GraphQLDateTime, GraphQLJSON, GraphQLSafeInt } from 'graphql-scalars'
import type { Context } from './context.ts'

/** Every type of the API is made with this builder. What may be null says so: `nullable: true`. */
export const builder = new SchemaBuilder<{
  Context: Context
  DefaultFieldNullability: false
  Scalars: {
    /** In: a Date. Out: milliseconds since the epoch, as the domain counts, which become text. */
    DateTime: { Input: Date; Output: number | string }
    JSON: { Input: unknown; Output: unknown }
    SafeInt: { Input: number; Output: number }
    ID: { Input: string; Output: string }
  }
}>({ defaultFieldNullability: false })

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
    'What can be read. Every field needs an API key with the scope READ. While the database is away or cannot be written, operations of any type fail with DATABASE_UNAVAILABLE; try again after retryAfterSeconds.',
})
builder.mutationType({
  description:
    'What can be changed. Every field needs an API key with the scope WRITE (dispatchInput: or a link to the live view); what concerns API keys of another owner, ADMIN as well.',
})
builder.subscriptionType({
  description:
    'What can be followed, over WebSocket (graphql-transport-ws) or server-sent events. Every field needs an API key with the scope READ (screencast: or a link to the live view); when the key expires or is revoked, the connection is closed.',
})
