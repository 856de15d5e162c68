import { isIntrospectionType, isObjectType, type GraphQLSchema } from 'graphql'
import type { Scope } from '../../ports/scope.ts'

/**
 * What a caller needs to see a type or to use a field. Members of one need are alternatives. What is declared for a
 * type is checked once for each object of it, which costs less than once for each field; what is declared for a field
 * is checked as well. Nothing here waits, so resolvers stay synchronous.
 */
export interface Needs extends Record<Scope, true> {
  /** A link to the live view of a session, instead of a key. */
  liveViewLink: true
  /** A key with the scope, or a link to the live view of this session that permits as much. */
  liveView: { sessionId: string; scope: Scope }
  /** Nothing but being a caller. */
  caller: true
}

export const NEEDS = {
  read: { READ: true },
  write: { WRITE: true },
  connect: { CONNECT: true },
  keys: { KEYS: true },
  /** What a mutation may show to a key that cannot read: what the key did, and how far that is. */
  readOrWrite: { READ: true, WRITE: true },
  readOrKeys: { READ: true, KEYS: true },
  keysOfEveryOwner: { $all: { KEYS: true, ADMIN: true } },
  /** A value that says nothing without the field that it is the value of, whose need it has. */
  asItsField: { caller: true },
  /** Frames of a page. */
  frames: { READ: true, liveViewLink: true },
} as const

/** Of a type that keys with different scopes may see each field declares what it needs as well. */
const EACH_FIELD_DECLARES: ReadonlySet<unknown> = new Set([NEEDS.readOrWrite, NEEDS.readOrKeys])

/** For a field that repeats a member of a mutation's input: its result shows it to a key that has just given it. */
export const readOrGiven = (member: string) => ({ READ: true, $granted: member }) as const

/** The members that were given, for `grantScopes` of the mutation. */
export const givenMembers = (input: object) => Object.keys(input)

/**
 * Fields whose need nobody has declared. Whatever is not declared would be open to every key, so the schema is not
 * built with any (schema.ts).
 */
export function undeclaredFields(schema: GraphQLSchema): string[] {
  return Object.values(schema.getTypeMap())
    .filter((type) => isObjectType(type))
    .filter((type) => !isIntrospectionType(type))
    .flatMap((type) => {
      const need = needOf(type)
      const isPartial = EACH_FIELD_DECLARES.has(need)
      if (need !== undefined && !isPartial) return []
      // Interfaces show ids and places in a log, to whoever may see the type that implements them.
      const inherited = new Set(type.getInterfaces().flatMap((parent) => Object.keys(parent.getFields())))
      return Object.values(type.getFields())
        .filter(({ name, extensions }) => needOf({ extensions }) === undefined && !(isPartial && inherited.has(name)))
        .map(({ name }) => `${type.name}.${name}`)
    })
}

function needOf({ extensions }: { extensions: Readonly<Record<PropertyKey, unknown>> }): unknown {
  return (extensions['pothosOptions'] as { authScopes?: unknown } | undefined)?.authScopes
}
