import {
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
import type { FieldCost } from '../schema/cost.ts'
import { requestError } from './graphql-errors.ts'

/**
 * Limits on one operation, so that a small text cannot ask for endless work. They leave front ends room: a page of a
 * thousand entries with every field of theirs costs about 30,000, GraphiQL's introspection query 200.
 */
export const QUERY_LIMITS = {
  /** Lexical tokens of a document. Checking costs more than in proportion to them. */
  tokens: 5_000,
  /** Fields within fields. The deepest sensible query of this schema has 8. */
  depth: 15,
  /** Values to resolve, fields of lists counted as often as the list may be long, dear ones weighed (schema/cost.ts). */
  cost: 100_000,
} as const

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
      `The query asks for up to ${cost} values; ${QUERY_LIMITS.cost} are allowed. Ask for fewer at once (first, last).`,
    )
  }
  return null
}

export function tooComplex(message: string): GraphQLError {
  return requestError(new GraphQLError(message), 'QUERY_TOO_COMPLEX')
}

class Measurement {
  readonly #schema: GraphQLSchema
  readonly #operation: ValidatedExecutionArgs
  /** A fragment that is spread a thousand times is measured once: else measuring would be the attack. */
  readonly #fragments = new Map<string, Measured>()

  constructor(operation: ValidatedExecutionArgs) {
    this.#schema = operation.schema
    this.#operation = operation
  }

  /** A value has one type only: of the types that an abstract one may turn out as, the dearest counts. */
  ofSelection(selectionSet: SelectionSetNode, type: GraphQLCompositeType): Measured {
    if (!isAbstractType(type)) return this.#ofObject(selectionSet, type)
    const measured = this.#schema.getPossibleTypes(type).map((possible) => this.#ofObject(selectionSet, possible))
    return {
      cost: Math.max(0, ...measured.map(({ cost }) => cost)),
      depth: Math.max(0, ...measured.map(({ depth }) => depth)),
    }
  }

  #ofObject(selectionSet: SelectionSetNode, type: GraphQLObjectType): Measured {
    let cost = 0
    let depth = 0
    for (const selection of selectionSet.selections) {
      let measured: Measured
      if (selection.kind === Kind.FIELD) measured = this.#ofField(selection, type)
      else if (selection.kind === Kind.INLINE_FRAGMENT) {
        const applies = this.#applies(selection.typeCondition?.name.value, type)
        measured = applies ? this.#ofObject(selection.selectionSet, type) : { cost: 0, depth: 0 }
      } else measured = this.#ofFragment(selection.name.value, type)
      cost += measured.cost
      depth = Math.max(depth, measured.depth)
    }
    return { cost, depth }
  }

  #ofFragment(name: string, type: GraphQLObjectType): Measured {
    const key = `${name} on ${type.name}`
    const known = this.#fragments.get(key)
    if (known) return known
    const fragment = this.#operation.fragmentDefinitions[name]
    const applies = fragment && this.#applies(fragment.typeCondition.name.value, type)
    const measured = applies ? this.#ofObject(fragment.selectionSet, type) : { cost: 0, depth: 0 }
    this.#fragments.set(key, measured)
    return measured
  }

  #applies(condition: string | undefined, type: GraphQLObjectType): boolean {
    if (condition === undefined || condition === type.name) return true
    const conditionType = this.#schema.getType(condition)
    return isAbstractType(conditionType) && this.#schema.isSubType(conditionType, type)
  }

  #ofField(node: FieldNode, parent: GraphQLObjectType): Measured {
    // What introspection nests, GraphQL's own rule bounds; what it lists is as long as the schema.
    if (node.name.value.startsWith('__')) return { cost: 1, depth: 1 }
    const field = this.#schema.getField(parent, node.name.value)
    if (!field) return { cost: 1, depth: 1 }
    const weight = (field.extensions as FieldCost).cost ?? {}
    const own = 1 + (weight.own ?? 0)
    if (!node.selectionSet) return { cost: own, depth: 1 }
    const inner = this.ofSelection(node.selectionSet, getNamedType(field.type) as GraphQLCompositeType)
    const times = weight.items ?? this.#pageSize(node, field)
    return { cost: own + times * inner.cost, depth: inner.depth + 1 }
  }

  /** How often the fields below a paged field are resolved at most: `last` or `first`, given or by default. */
  #pageSize(node: FieldNode, field: GraphQLField<unknown, unknown>): number {
    const isPaged = field.args.some(({ name }) => name === 'first')
    if (!isPaged) return isList(field.type) ? 10 : 1
    const size = this.#argument(node, field, 'last') ?? this.#argument(node, field, 'first')
    // Out of bounds is refused where the rule is; here it must only not count as less than nothing.
    return typeof size === 'number' ? Math.max(1, size) : 1
  }

  #argument(node: FieldNode, field: GraphQLField<unknown, unknown>, name: string): unknown {
    const value = node.arguments?.find((argument) => argument.name.value === name)?.value
    if (value?.kind === Kind.INT) return Number(value.value)
    if (value?.kind === Kind.VARIABLE) {
      const { coerced } = this.#operation.variableValues
      if (Object.hasOwn(coerced, value.name.value)) return coerced[value.name.value]
    }
    if (value?.kind === Kind.NULL) return null
    return field.args.find((argument) => argument.name === name)?.default?.value
  }
}

function isList(type: GraphQLOutputType): boolean {
  return isListType(isNonNullType(type) ? type.ofType : type)
}
