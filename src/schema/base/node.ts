import type { Scope } from '../../ports/scope.ts'
import { builder } from './builder.ts'
import type { Context } from './context.ts'
import { decodeGlobalId, type GlobalId } from '../../contract/global-id.ts'
import { NEEDS } from './needs.ts'

/** Finds a node by its decoded id among what the owner has; null when there is none. */
type NodeLoader = (id: GlobalId, owner: string, context: Context) => Promise<object | null>

interface NodeType {
  /** What a key needs to have nodes of the type. */
  scope: Scope
  load: NodeLoader
}

const nodeTypes = new Map<string, NodeType>()

/** What was loaded as a node, and as which type: the interface asks. */
const typenames = new WeakMap<object, string>()

/** Each file that declares a node type tells here how one is found by its id. */
export function registerNode(typename: string, scope: Scope, load: NodeLoader): void {
  nodeTypes.set(typename, { scope, load })
}

export const NodeInterface = builder.interfaceRef<object>('Node').implement({
  description: 'Whatever has an id of its own and can be fetched again by it.',
  fields: (t) => ({
    id: t.id({
      description: 'Opaque, and the same everywhere: in the API, in links, in log lines and on the command line.',
      resolve: () => {
        throw new Error('a node type resolves its own id')
      },
    }),
  }),
  resolveType: (value) => typenames.get(value),
})

builder.queryField('node', (t) =>
  t.field({
    type: NodeInterface,
    nullable: true,
    authScopes: NEEDS.readOrKeys,
    description:
      'The node of this id. Null when the id is malformed, unknown, or of something that belongs to another owner: all alike. An ApiKey needs the scope KEYS, every other node READ. Errors: FORBIDDEN.',
    args: { id: t.arg.id({ required: true, description: 'The id of any node.' }) },
    resolve: async (_, args, context) => {
      const { owner } = context.require('READ', 'KEYS')
      const id = decodeGlobalId(args.id)
      const type = id ? nodeTypes.get(id.typename) : undefined
      const node = id && type ? await type.load(id, owner, context) : null
      if (!id || !type || !node) return null
      // Only now: what does not exist is null for everyone.
      context.require(type.scope)
      typenames.set(node, id.typename)
      return node
    },
  }),
)
