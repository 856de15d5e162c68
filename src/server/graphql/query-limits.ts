import {
  getArgumentValues,
  getNamedType,
  GraphQLError,
  isAbstractType,
  isListType,
  isNonNullType,
  Kind,
  type DocumentNode,
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
import { countComparisons } from './field-comparisons.ts'
import { IntrospectionCost, type Introspected } from './introspection-cost.ts'

/**
 * Limits of one operation, so that a small document cannot cause unbounded work. They leave room for front ends: a page
 * of a thousand entries with every field costs about 99,000, the introspection query of GraphiQL and code generators
 * 62,000.
 *
 * Not Pothos's complexity plugin: it does not know the page size for `nodes` and `edges`, so it multiplies totalCount
 * as well, counts introspection as free, and rejects only during execution.
 */
export const QUERY_LIMITS = {
  /** Lexical tokens of a document. */
  tokens: 3_000,
  /**
   * Comparisons of fields that have the same response name, before they are validated: 200 fields, each with each
   * other. GraphQL has a limit of its own, which lets validation block the event loop for more than 100 ms.
   */
  comparisons: 20_000,
  /** Nested brackets of any kind. The parser recurses for each, and its stack is limited. */
  nesting: 200,
  /** Lines of a document whose errors include locations: computing one means counting the lines before it. */
  linesWithPlaces: 2_000,
  /** Nested fields. The deepest sensible query of this schema has 8. */
  depth: 15,
  /**
   * Values to resolve: fields of lists are multiplied by the maximum length, expensive ones are weighted
   * (schema/base/complexity.ts).
   */
  cost: 100_000,
} as const

/**
 * Introspection is resolved synchronously, and its descriptions are long. `__typename` outside of it is an ordinary
 * value.
 */
const INTROSPECTED = 2

const INTROSPECTION = new Set(['__schema', '__type'])
const introspection = new IntrospectionCost(schema)

/** The scope of a selection: a page of this many items, or introspection. */
type Scope = number | Introspected

interface Measured {
  cost: number
  depth: number
}

/** Rejects an operation that exceeds the limits: QUERY_TOO_COMPLEX. Null: it may run. */
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

/** Rejects a document that would be too expensive to parse. Null: it may be parsed. */
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

/** Rejects a document that would be too expensive to validate. Null: it may be validated. */
export function checkComparisons(document: DocumentNode): GraphQLError | null {
  const isTooMuch = countComparisons(document, QUERY_LIMITS.comparisons) > QUERY_LIMITS.comparisons
  return isTooMuch ? tooComplex(TOO_MANY_COMPARISONS) : null
}

export const TOO_MANY_COMPARISONS = 'The document selects too many fields of the same name.'

/** Whether a document has too many lines to compute the location of each error. */
export function hasManyLines(query: string): boolean {
  if (query.length <= QUERY_LIMITS.linesWithPlaces) return false
  const breaks = query.matchAll(/[\n\r]/g)
  return breaks.drop(QUERY_LIMITS.linesWithPlaces).next().done !== true
}

/** Brackets, and tokens that may contain bracket characters: block strings, strings, comments. */
const BRACKETS = /[[\](){}]|"""(?:\\"""|[^])*?"""|"(?:\\.|[^"\\\n\r])*"?|#[^\n\r]*/g

export function tooComplex(message: string): GraphQLError {
  return requestError(new GraphQLError(message), 'QUERY_TOO_COMPLEX')
}

/** The measured size of an operation: see QUERY_LIMITS. */
class Measurement {
  readonly #schema: GraphQLSchema
  readonly #operation: ValidatedExecutionArgs
  /** A fragment that is spread a thousand times is measured once: otherwise, measuring itself would be the attack. */
  readonly #fragments = new Map<string, Measured>()

  constructor(operation: ValidatedExecutionArgs) {
    this.#schema = operation.schema
    this.#operation = operation
  }

  /**
   * The fields of a selection, in a scope. A value has one concrete type: for an abstract type, the most expensive one
   * counts.
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

  /** Its depth is limited by GraphQL's own validation and by the bracket limit. */
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

  /** Maximum page size of the field: `last` or `first`, given or default. Null: it is not paginated. */
  #first(node: FieldNode, field: GraphQLField<unknown, unknown>): number | null {
    if (!field.args.some(({ name }) => name === 'first')) return null
    const { first, last } = this.#arguments(node, field)
    const size = last ?? first
    // Out-of-range values are rejected by the field's rule; here they must only not count as negative.
    return typeof size === 'number' ? Math.max(1, size) : 1
  }

  #arguments(node: FieldNode, field: GraphQLField<unknown, unknown>): Record<string, unknown> {
    try {
      return getArgumentValues(field, node, this.#operation.variableValues)
    } catch {
      // Execution will report the problem, and resolve nothing.
      return {}
    }
  }
}

function isList(type: GraphQLOutputType): boolean {
  return isListType(isNonNullType(type) ? type.ofType : type)
}
