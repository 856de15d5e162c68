import { initGraphQLTada } from 'gql.tada'
import type { introspection } from '../../generated/schema-types.d.ts'

/** A value of the scalar JSON. */
export type Json = string | number | boolean | null | Json[] | { [name: string]: Json }

/** Declares an operation, with variables and result typed from the schema. */
export const graphql = initGraphQLTada<{
  introspection: introspection
  scalars: { DateTime: string; JSON: Json; SafeInt: number }
}>()
