import {
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isObjectType,
  isAbstractType,
  type GraphQLNamedType,
  type GraphQLSchema,
} from 'graphql'

/**
 * Whose members an introspection list has: those of each type of the schema in turn, with the average number, or of an
 * arbitrary type, with the number of the largest one.
 */
export type Introspected = 'each' | 'some'

type ListName = '__Schema.types' | '__Schema.directives' | '__Directive.args' | '__Field.args' | MemberListName
type MemberListName = `__Type.${'fields' | 'inputFields' | 'enumValues' | 'interfaces' | 'possibleTypes'}`

/** Estimated length of the introspection lists. */
export class IntrospectionCost {
  readonly #lengths: Readonly<Record<ListName, Readonly<Record<Introspected, number>>>>

  constructor(schema: GraphQLSchema) {
    const types = Object.values(schema.getTypeMap())
    const ofTypes = (count: (type: GraphQLNamedType) => number) => lengthsOf(types.map(count))
    const fieldsOf = (type: GraphQLNamedType) =>
      isObjectType(type) || isInterfaceType(type) ? Object.values(type.getFields()) : []
    const directives = schema.getDirectives()
    this.#lengths = {
      '__Schema.types': { each: types.length, some: types.length },
      '__Schema.directives': { each: directives.length, some: directives.length },
      '__Directive.args': lengthsOf(directives.map(({ args }) => args.length)),
      '__Field.args': lengthsOf(types.flatMap(fieldsOf).map(({ args }) => args.length)),
      '__Type.fields': ofTypes((type) => fieldsOf(type).length),
      '__Type.inputFields': ofTypes((type) => (isInputObjectType(type) ? Object.keys(type.getFields()).length : 0)),
      '__Type.enumValues': ofTypes((type) => (isEnumType(type) ? type.getValues().length : 0)),
      '__Type.interfaces': ofTypes((type) =>
        isObjectType(type) || isInterfaceType(type) ? type.getInterfaces().length : 0,
      ),
      '__Type.possibleTypes': ofTypes((type) => (isAbstractType(type) ? schema.getPossibleTypes(type).length : 0)),
    }
  }

  /** How often the fields of a selection are resolved, and for which members. */
  below(parentName: string, fieldName: string, of: Introspected): { times: number; of: Introspected } {
    const name = `${parentName}.${fieldName}`
    const times = name in this.#lengths ? this.#lengths[name as ListName][of] : 1
    if (name === '__Schema.types' || name === '__Schema.directives') return { times, of: 'each' }
    // A type other than the current one: it may be the largest one each time.
    const isOfAnother = !['__Type.fields', '__Type.inputFields', '__Type.enumValues', '__Field.args'].includes(name)
    return { times, of: isOfAnother ? 'some' : of }
  }
}

function lengthsOf(counts: readonly number[]): Record<Introspected, number> {
  const sum = counts.reduce((all, count) => all + count, 0)
  return { each: sum / Math.max(1, counts.length), some: Math.max(0, ...counts) }
}
