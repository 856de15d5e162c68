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
 * All fields of a type that need no argument, and of the objects below it, so many levels deep: without any alias, each
 * type of an interface or union with all of its own.
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
