import {
  getNamedType,
  isAbstractType,
  isLeafType,
  isRequiredArgument,
  type GraphQLObjectType,
  type GraphQLOutputType,
} from 'graphql'
import { schema } from '../../src/schema/schema.ts'

/**
 * All fields of a type without required arguments, and of its nested objects to the given depth: without aliases,
 * with all fields of each type of an interface or union.
 */
export function wholeSelection(type: GraphQLOutputType, levels: number): string {
  const named = getNamedType(type)
  if (isLeafType(named)) return ''
  if (levels === 0) return '{ __typename }'
  const parts = isAbstractType(named)
    ? schema.getPossibleTypes(named).map((one) => `... on ${one.name} ${wholeSelection(one, levels)}`)
    : Object.values((named as GraphQLObjectType).getFields())
        .filter(({ args }) => !args.some(isRequiredArgument))
        .map((field) => `${field.name} ${wholeSelection(field.type, levels - 1)}`)
  return `{ __typename ${parts.join(' ')} }`
}
