import { isObjectType, type GraphQLSchema } from 'graphql'
import { decodeGlobalId } from '../../contract/global-id.ts'
import type { Scope } from '../../ports/access/scope.ts'
import type { Context } from './context.ts'

const UUID_LENGTH = 36

/**
 * The part of a global id after its type. The relay plugin passes it on as a single string: "<uuid>" or
 * "<uuid>:<number>".
 */
interface NodeId {
  uuid: string
  number: number | null
}

/** A malformed id has no type, so `node` is null for it, as for every other id that is not found. */
export function decodeNodeId(globalId: string): { typename: string; id: string } {
  const decoded = decodeGlobalId(globalId)
  if (!decoded) return { typename: '', id: '' }
  const { typename, uuid, number } = decoded
  return { typename, id: number === null ? uuid : `${uuid}:${number}` }
}

export function isNodeType(schema: GraphQLSchema, typename: string): boolean {
  const type = schema.getType(typename)
  return isObjectType(type) && type.getInterfaces().some(({ name }) => name === 'Node')
}

/** Loader of `node` for objects with a number within a session. The key needs the scope. */
export function foundByNumber<Node extends object>(
  scope: Scope,
  find: (owner: string, uuid: string, number: number, context: Context) => Promise<Node | null>,
) {
  return foundBy(scope, async (owner, { uuid, number }, context) =>
    number === null ? null : find(owner, uuid, number, context),
  )
}

/** Loader of `node` for objects with a UUID of their own. The key needs the scope. */
export function foundByUuid<Node extends object>(
  scope: Scope,
  find: (owner: string, uuid: string, context: Context) => Promise<Node | null>,
) {
  return foundBy(scope, async (owner, { uuid, number }, context) =>
    number === null ? find(owner, uuid, context) : null,
  )
}

function foundBy<Node extends object>(
  scope: Scope,
  find: (owner: string, id: NodeId, context: Context) => Promise<Node | null>,
) {
  return {
    // Without the plugin's cache: an operation that asks twice gets the current state each time.
    loadWithoutCache: async (id: string, context: Context): Promise<Node | null> => {
      const { owner } = context.require('READ', 'KEYS')
      const node = await find(owner, partsOf(id), context)
      // Checked only now: an object that does not exist is null for everyone.
      if (node) context.require(scope)
      return node
    },
  }
}

function partsOf(id: string): NodeId {
  return { uuid: id.slice(0, UUID_LENGTH), number: id.length > UUID_LENGTH ? Number(id.slice(UUID_LENGTH + 1)) : null }
}
