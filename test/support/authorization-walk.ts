import {
  getNamedType,
  isAbstractType,
  isLeafType,
  isObjectType,
  type GraphQLField,
  type GraphQLObjectType,
  type GraphQLSchema,
} from 'graphql'
import { SCOPES } from '../../src/ports/access/scope.ts'
import { NEED_OF, type Need } from './authorization-table.ts'

/** A caller with a key of these scopes, or with a link to the live view of the live session. */
export interface Caller {
  name: string
  secret: string
  scopes: readonly string[]
  isLiveViewLink: boolean
}

/** An entry point of the schema. */
export interface Root {
  operation: 'query' | 'mutation' | 'subscription'
  /** A field of Query, Mutation or Subscription. */
  field: string
  args?: string
  /** Fields of the result that repeat the arguments; null: every option of a session. */
  given?: readonly string[] | null
  /** For fields that return an interface: the concrete type, and its need. */
  on?: { type: string; need: Need }
  /** Whether these arguments result only in an error that is not an authorization error. */
  fails?: boolean
}

/** One operation and its expected outcome. */
export interface Case {
  caller: Caller
  operation: Root['operation']
  query: string
  expected:
    | { kind: 'refused'; scopes: string[] }
    | { kind: 'shown'; type: string }
    | { kind: 'null' }
    /** Anything but an authorization error. */
    | { kind: 'served' }
}

type Wrap = (selection: string) => string

/** Every field that the caller can reach from a root: allowed ones together, forbidden ones separately. */
export class Walk {
  readonly cases: Case[] = []
  readonly #schema: GraphQLSchema
  readonly #caller: Caller
  /** Types whose objects the caller has received. */
  readonly types = new Set<string>()
  /** With READ, the visible fields of a type do not depend on the path to it; without READ they do. */
  readonly #visited = new Set<string>()

  constructor(schema: GraphQLSchema, caller: Caller) {
    this.#schema = schema
    this.#caller = caller
  }

  from(root: Root): void {
    const { operation, field: name, args = '', on, fails } = root
    const parent = rootTypeOf(this.#schema, operation)
    const field = parent.getFields()[name]!
    const isLeaf = isLeafType(getNamedType(field.type))
    const wrap: Wrap = (selection) => {
      const inner = on ? `... on ${on.type} { ${selection} }` : selection
      return `${operation} { ${name}${args} ${isLeaf ? '' : `{ ${inner} }`} }`
    }
    const needs = [needOf(parent, field), ...(on ? [on.need] : [])]
    const lacking = needs.find((need) => !this.#allows(need, []))
    if (lacking) return this.#add(root, wrap('__typename'), { kind: 'refused', scopes: scopesIn(lacking) })
    this.#add(root, wrap('__typename'), { kind: 'served' })
    if (isLeaf || fails) return
    const type = on ? this.#schema.getType(on.type) : getNamedType(field.type)
    this.#into(root, type as GraphQLObjectType, wrap, root.given ?? (root.given === null ? null : []))
  }

  #into(root: Root, type: GraphQLObjectType, wrap: Wrap, given: readonly string[] | null): void {
    // Only the running session has links, and it comes first.
    const isSameEverywhere = this.#caller.scopes.includes('READ') || type.name === 'SessionAccess'
    const place = isSameEverywhere ? type.name : `${root.operation} ${root.field} ${type.name}`
    if (this.#visited.has(place)) return
    this.#visited.add(place)
    this.types.add(type.name)
    const allowed: string[] = []
    const deeper: GraphQLField<unknown, unknown>[] = []
    for (const field of Object.values(type.getFields())) {
      const need = needOf(type, field)
      const isLeaf = isLeafType(getNamedType(field.type))
      const selection = isLeaf ? field.name : `${field.name} { __typename }`
      if (need === 'CONNECT or null' && !this.#caller.scopes.includes('CONNECT')) {
        this.#add(root, wrap(selection), { kind: 'null' })
      } else if (this.#allows(need, given, field.name)) {
        allowed.push(selection)
        if (!isLeaf) deeper.push(field)
      } else {
        this.#add(root, wrap(selection), { kind: 'refused', scopes: scopesIn(need) })
      }
    }
    this.#add(root, wrap(`__typename ${allowed.join(' ')}`), { kind: 'shown', type: type.name })
    for (const field of deeper) {
      const next = getNamedType(field.type)
      // Implementations of an interface are walked from their own nodes, as is, with READ, the session that has
      // everything.
      if (isAbstractType(next) || (next.name === 'Session' && this.#caller.scopes.includes('READ'))) continue
      this.#into(root, next as GraphQLObjectType, (selection) => wrap(`${field.name} { ${selection} }`), [])
    }
  }

  #allows(need: Need, given: readonly string[] | null, field = ''): boolean {
    if (need === 'parent') return true
    if (need === 'CONNECT or null') return this.#caller.scopes.includes('CONNECT')
    if (need.endsWith(' or live view') && this.#caller.isLiveViewLink) return true
    if (need === 'READ or given' && (given === null || given.includes(field))) return true
    return scopesIn(need).some((scope) => this.#caller.scopes.includes(scope))
  }

  #add({ operation }: Root, query: string, expected: Case['expected']): void {
    this.cases.push({ caller: this.#caller, operation, query, expected })
  }
}

function needOf(type: GraphQLObjectType, field: GraphQLField<unknown, unknown>): Need {
  const need = NEED_OF.get(`${type.name}.${field.name}`)
  if (!need) throw new Error(`${type.name}.${field.name} is not in authorization-table.ts`)
  return need
}

const scopesIn = (need: Need) => SCOPES.filter((scope) => need.split(' ').includes(scope))

export function rootTypeOf(schema: GraphQLSchema, operation: Root['operation']): GraphQLObjectType {
  const type = schema.getType(`${operation.charAt(0).toUpperCase()}${operation.slice(1)}`)
  if (!isObjectType(type)) throw new Error(`there is no type for ${operation}`)
  return type
}
