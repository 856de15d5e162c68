import {
  getNamedType,
  GraphQLError,
  isLeafType,
  isObjectType,
  type GraphQLFieldResolver,
  type GraphQLSchema,
} from 'graphql'
import { TabwireError } from '../../domain/kernel/errors.ts'
import type { FieldCost } from './complexity.ts'

/**
 * Of one response. Each takes about 100 µs to be located, masked and written: a thousand hold up everything else for a
 * tenth of a second, and a page can have as many for each field.
 */
export const MAX_FAILURES = 1_000

export class TooManyFailures extends TabwireError {
  override readonly code = 'RESPONSE_TOO_LARGE'

  constructor() {
    super(
      `The response would have more than ${MAX_FAILURES} errors. Correct the operation, or ask for fewer items (first, last). A mutation was carried out all the same.`,
      { maxErrors: MAX_FAILURES },
    )
  }
}

/** Already located, so GraphQL does not make one of its own for each field. */
const NOT_RESOLVED = new GraphQLError('There were too many errors.', { path: [] })

/** Counts the fields of one operation that fail. */
export class Failures {
  #count = 0

  get areTooMany(): boolean {
    return this.#count > MAX_FAILURES
  }

  add(): void {
    this.#count += 1
  }
}

/** Fields that may fail count their failures, and are not resolved any more once there are too many. */
export function boundFailures(schema: GraphQLSchema): GraphQLSchema {
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type) || type.name.startsWith('__')) continue
    for (const field of Object.values(type.getFields())) {
      const { args, resolve, extensions } = field
      const { authScopes } = (extensions['pothosOptions'] ?? {}) as { authScopes?: unknown }
      const isPlain = isLeafType(getNamedType(field.type)) && args.length === 0
      const mayFail = !isPlain || (extensions as FieldCost).cost !== undefined || authScopes !== undefined
      if (resolve && mayFail) field.resolve = counting(resolve as Resolver)
    }
  }
  return schema
}

type Resolver = GraphQLFieldResolver<unknown, { failures: Failures }>

function counting(resolve: Resolver): Resolver {
  return (source, args, context, info) => {
    const { failures } = context
    if (failures.areTooMany) throw NOT_RESOLVED
    // Those that fail later were all begun before the first of them was counted.
    const failed = (error: unknown): never => {
      failures.add()
      throw failures.areTooMany ? NOT_RESOLVED : error
    }
    try {
      const result = resolve(source, args, context, info)
      return result instanceof Promise ? result.catch(failed) : result
    } catch (error) {
      return failed(error)
    }
  }
}
