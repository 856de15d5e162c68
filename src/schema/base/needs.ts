import { isIntrospectionType, isObjectType, type GraphQLSchema } from 'graphql'
import type { Scope } from '../../ports/access/scope.ts'

/**
 * Authorization required to see a type or use a field. Members of one need are alternatives. A declaration on a type
 * is checked once per object, which is cheaper than once per field; a declaration on a field is checked in addition.
 * All checks are synchronous, so that resolvers stay so.
 */
export interface Needs extends Record<Scope, true> {
  /** A link to the live view of a session, instead of a key. */
  liveViewLink: true
  /** A key with the scope, or a link to the live view of this session that grants the same. */
  liveView: { sessionId: string; scope: Scope }
  /** Any authenticated caller. */
  caller: true
}

export const NEEDS = {
  read: { READ: true },
  write: { WRITE: true },
  connect: { CONNECT: true },
  keys: { KEYS: true },
  admin: { ADMIN: true },
  /**
   * Parts of a mutation's result visible to a key that cannot read: what it started, and the status of that.
   */
  readOrWrite: { READ: true, WRITE: true },
  readOrKeys: { READ: true, KEYS: true },
  keysOfEveryOwner: { $all: { KEYS: true, ADMIN: true } },
  /** A value that is meaningless without its field, and shares the field's need. */
  asItsField: { caller: true },
  /** Frames of a page. */
  frames: { READ: true, liveViewLink: true },
} as const

/** In a type visible to keys with different scopes, each field declares its own need as well. */
const EACH_FIELD_DECLARES: ReadonlySet<unknown> = new Set([NEEDS.readOrWrite, NEEDS.readOrKeys])

/**
 * For a field that repeats a member of a mutation's input: visible in the result to a key that has just provided it.
 */
export const readOrGiven = (member: string) => ({ READ: true, $granted: member }) as const

/** The provided members, for `grantScopes` of the mutation. */
export const givenMembers = (input: object) => Object.keys(input)

/**
 * Fields without a declared need. They would be open to every key, so the schema is not built if there are any
 * (schema.ts).
 */
export function undeclaredFields(schema: GraphQLSchema): string[] {
  return Object.values(schema.getTypeMap())
    .filter((type) => isObjectType(type))
    .filter((type) => !isIntrospectionType(type))
    .flatMap((type) => {
      const need = needOf(type)
      const isPartial = EACH_FIELD_DECLARES.has(need)
      if (need !== undefined && !isPartial) return []
      // Interfaces expose ids and positions in a log to callers that may see the implementing type.
      const inherited = new Set(type.getInterfaces().flatMap((parent) => Object.keys(parent.getFields())))
      return Object.values(type.getFields())
        .filter(({ name, extensions }) => needOf({ extensions }) === undefined && !(isPartial && inherited.has(name)))
        .map(({ name }) => `${type.name}.${name}`)
    })
}

function needOf({ extensions }: { extensions: Readonly<Record<PropertyKey, unknown>> }): unknown {
  return (extensions['pothosOptions'] as { authScopes?: unknown } | undefined)?.authScopes
}
