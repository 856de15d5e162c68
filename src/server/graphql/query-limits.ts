import {
  getArgumentValues,
  getNamedType,
  GraphQLError,
  isAbstractType,
  isListType,
  isNonNullType,
  Kind,
  type FieldNode,
  type GraphQLCompositeType,
  type GraphQLField,
  type GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLSchema,
  type SelectionSetNode,
  type ValidatedExecutionArgs,
} from 'graphql'
import type { FieldCost } from '../../schema/base/complexity.ts'
import { schema } from '../../schema/schema.ts'
import { requestError } from '../base/graphql-errors.ts'
import { IntrospectionCost, type Introspected } from './introspection-cost.ts'

/**
 * Limits on one operation, so that a small text cannot ask for endless work. They leave front ends room: a page of a
 * thousand entries with every field of theirs costs about 99,000, the introspection query of GraphiQL and code generators 62,000.
 *
 * By hand, not by Pothos's complexity plugin: there `nodes` and `edges` do not know how long their connection's page is, so
 * totalCount would count as often as they do, introspection costs nothing, and what is too much is found by a resolver.
 */
export const QUERY_LIMITS = {
  /** Lexical tokens of a document. Checking costs with their square: 3,000 of the worst take a third of a second. */
  tokens: 3_000,
  /** Brackets within brackets of whatever kind. The parser calls itself for each, and its stack is not endless. */
  nesting: 200,
  /** Lines of a document whose errors are told with their places: finding one means to count the lines before it. */
  linesWithPlaces: 2_000,
  /** Fields within fields. The deepest sensible query of this schema has 8. */
  depth: 15,
  /** Values to resolve, fields of lists counted as often as the list may be long, dear ones weighed (schema/base/complexity.ts). */
  cost: 100_000,
} as const

/** All of it is resolved in one go, and its descriptions are long. `__typename` of anything else is a value like others. */
const INTROSPECTED = 2

const INTROSPECTION = new Set(['__schema', '__type'])
const introspection = new IntrospectionCost(schema)

/** Where a selection stands: on a page of so many items, or within introspection. */
type Scope = number | Introspected

interface Measured {
  cost: number
  depth: number
}

/** Refuses an operation that goes beyond the limits: QUERY_TOO_COMPLEX. Null: it may run. */
export function checkLimits(operation: ValidatedExecutionArgs): GraphQLError | null {
  const root = operation.schema.getRootType(operation.operation.operation)
  if (!root) return null
  const { cost, depth } = new Measurement(operation).ofSelection(operation.operation.selectionSet, root)
  if (depth > QUERY_LIMITS.depth) {
    return tooComplex(`The query nests ${depth} levels of fields; ${QUERY_LIMITS.depth} are allowed.`)
  }
  if (cost > QUERY_LIMITS.cost) {
    return tooComplex(
      `The query may ask for more values than the ${QUERY_LIMITS.cost} that are allowed. Ask for fewer at once (first, last; one __schema).`,
    )
  }
  return null
}

/** Refuses a text that could not even be parsed in reason. Null: it may be parsed. */
export function checkNesting(query: string): GraphQLError | null {
  let depth = 0
  for (const [match] of query.matchAll(BRACKETS)) {
    if (match === '{' || match === '[' || match === '(') depth += 1
    else if (match === '}' || match === ']' || match === ')') depth -= 1
    if (depth > QUERY_LIMITS.nesting) {
      return tooComplex(`The document nests more than ${QUERY_LIMITS.nesting} brackets.`)
    }
  }
  return null
}

/** Whether a text has more lines than are counted for each of its errors. */
export function hasManyLines(query: string): boolean {
  if (query.length <= QUERY_LIMITS.linesWithPlaces) return false
  const breaks = query.matchAll(/[\n\r]/g)
  return breaks.drop(QUERY_LIMITS.linesWithPlaces).next().done !== true
}

/** Brackets, and what may hold characters that look like some: block strings, strings, comments. */
const BRACKETS = /[[\](){}]|"""(?:\\"""|[^])*?"""|"(?:\\.|[^"\\\n\r])*"?|#[^\n\r]*/g

export function tooComplex(message: string): GraphQLError {
  return requestError(new GraphQLError(message), 'QUERY_TOO_COMPLEX')
}

/** What stands for an operation's size: see QUERY_LIMITS. */
class Measurement {
  readonly #schema: GraphQLSchema
  readonly #operation: ValidatedExecutionArgs
  /** A fragment that is spread a thousand times is measured once: else measuring would be the attack. */
  readonly #fragments = new Map<string, Measured>()

  constructor(operation: ValidatedExecutionArgs) {
    this.#schema = operation.schema
    this.#operation = operation
  }

  /**
   * The fields of a selection, in a scope. A value has one type only: of the types that an abstract
   * one may turn out as, the dearest counts.
   */
  ofSelection(selectionSet: SelectionSetNode, type: GraphQLCompositeType, scope: Scope = 1): Measured {
    if (!isAbstractType(type)) return this.#ofObject(selectionSet, type, scope)
    const possible = this.#schema.getPossibleTypes(type)
    const measured = possible.map((object) => this.#ofObject(selectionSet, object, scope))
    return {
      cost: Math.max(0, ...measured.map(({ cost }) => cost)),
      depth: Math.max(0, ...measured.map(({ depth }) => depth)),
    }
  }

  #ofObject(selectionSet: SelectionSetNode, type: GraphQLObjectType, scope: Scope): Measured {
    let cost = 0
    let depth = 0
    for (const selection of selectionSet.selections) {
      const measured =
        selection.kind === Kind.FIELD
          ? this.#ofField(selection, type, scope)
          : selection.kind === Kind.FRAGMENT_SPREAD
            ? this.#ofFragment(selection.name.value, type, scope)
            : this.#ofConditional(selection.typeCondition?.name.value, selection.selectionSet, type, scope)
      cost += measured.cost
      depth = Math.max(depth, measured.depth)
    }
    return { cost, depth }
  }

  #ofFragment(name: string, type: GraphQLObjectType, scope: Scope): Measured {
    const key = `${name} on ${type.name} of ${scope}`
    let measured = this.#fragments.get(key)
    if (!measured) {
      const fragment = this.#operation.fragmentDefinitions[name]!
      measured = this.#ofConditional(fragment.typeCondition.name.value, fragment.selectionSet, type, scope)
      this.#fragments.set(key, measured)
    }
    return measured
  }

  #ofConditional(
    condition: string | undefined,
    selectionSet: SelectionSetNode,
    type: GraphQLObjectType,
    scope: Scope,
  ): Measured {
    const wanted = condition === undefined ? type : this.#schema.getType(condition)
    const applies = wanted === type || (isAbstractType(wanted) && this.#schema.isSubType(wanted, type))
    return applies ? this.#ofObject(selectionSet, type, scope) : { cost: 0, depth: 0 }
  }

  #ofField(node: FieldNode, parent: GraphQLObjectType, scope: Scope): Measured {
    const field = this.#schema.getField(parent, node.name.value)
    if (!field) return { cost: 1, depth: 1 }
    if (INTROSPECTION.has(field.name) || parent.name.startsWith('__'))
      return this.#ofIntrospection(node, field, parent, scope)
    const weight = (field.extensions as FieldCost).cost ?? {}
    const own = 1 + (weight.own ?? 0)
    if (!node.selectionSet) return { cost: own, depth: 1 }
    const first = this.#first(node, field)
    const isPagedList = isList(field.type) && first !== null
    const times = isPagedList
      ? first
      : weight.items === 'page'
        ? typeof scope === 'number'
          ? scope
          : 1
        : (weight.items ?? 1)
    const inner = this.ofSelection(node.selectionSet, getNamedType(field.type) as GraphQLCompositeType, first ?? 1)
    return { cost: own + times * inner.cost, depth: inner.depth + 1 }
  }

  /** Its depth is bounded by GraphQL's own rule and by the brackets. */
  #ofIntrospection(
    node: FieldNode,
    field: GraphQLField<unknown, unknown>,
    parent: GraphQLObjectType,
    scope: Scope,
  ): Measured {
    if (!node.selectionSet) return { cost: INTROSPECTED, depth: 1 }
    const { times, of } = introspection.below(parent.name, field.name, typeof scope === 'number' ? 'some' : scope)
    const inner = this.ofSelection(node.selectionSet, getNamedType(field.type) as GraphQLCompositeType, of)
    return { cost: INTROSPECTED + times * inner.cost, depth: 1 }
  }

  /** How many items the field's page has at most: `last` or `first`, given or by default. Null: it has no pages. */
  #first(node: FieldNode, field: GraphQLField<unknown, unknown>): number | null {
    if (!field.args.some(({ name }) => name === 'first')) return null
    const { first, last } = this.#arguments(node, field)
    const size = last ?? first
    // Out of bounds is refused where the rule is; here it must only not count as less than nothing.
    return typeof size === 'number' ? Math.max(1, size) : 1
  }

  #arguments(node: FieldNode, field: GraphQLField<unknown, unknown>): Record<string, unknown> {
    try {
      return getArgumentValues(field, node, this.#operation.variableValues)
    } catch {
      // Executing the field will say what is wrong with them, and resolve nothing.
      return {}
    }
  }
}

function isList(type: GraphQLOutputType): boolean {
  return isListType(isNonNullType(type) ? type.ofType : type)
}
