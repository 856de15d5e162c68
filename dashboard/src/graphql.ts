import { initGraphQLTada } from 'gql.tada'
import type { introspection } from '../generated/schema-types.d.ts'

/** A value of the scalar JSON. */
export type Json = string | number | boolean | null | Json[] | { [name: string]: Json }

/** Writes an operation down; its variables and its answer have the types that the schema gives them. */
export const graphql = initGraphQLTada<{
  introspection: introspection
  scalars: { DateTime: string; JSON: Json; SafeInt: number }
}>()
