import {
  getNamedType,
  isAbstractType,
  isInterfaceType,
  isIntrospectionType,
  isListType,
  isNonNullType,
  isObjectType,
  parse,
  validate,
  type GraphQLAbstractType,
  type GraphQLField,
  type GraphQLObjectType,
} from 'graphql'
import { pino } from 'pino'
import { describe, expect, test } from 'vitest'
import type { Domain } from '../src/schema/base/context.ts'
import { schema } from '../src/schema/schema.ts'
import { GraphqlOperations } from '../src/server/graphql/graphql.ts'
import { wholeSelection } from './support/whole-selection.ts'

/**
 * GraphQL merges the fields of one name that a selection asks of several types, and refuses the selection where their
 * types, nullability or arguments differ, so every client would need an alias for each. Here no selection needs one.
 */

type Field = GraphQLField<unknown, unknown>

const types = Object.values(schema.getTypeMap()).filter((type) => !isIntrospectionType(type))
const fieldsOf = (type: GraphQLObjectType): Field[] => Object.values(type.getFields())

/** Interfaces and unions that some field returns: only of these can a selection name several types. */
const returned = types.filter(isAbstractType).filter((abstract) =>
  types
    .filter((type) => isObjectType(type) || isInterfaceType(type))
    .flatMap((type) => Object.values(type.getFields()))
    .some((field) => getNamedType(field.type) === abstract),
)

const signatureOf = ({ type, args }: Field) =>
  `${args.map((argument) => `${argument.name}: ${String(argument.type)}`).join(', ')} → ${String(type)}`

/** Names with more than one type among the types of an interface or union, each with its type by location. */
function conflictsIn(abstract: GraphQLAbstractType): Map<string, string> {
  const byName = Map.groupBy(
    schema.getPossibleTypes(abstract).flatMap((type) => fieldsOf(type).map((field) => ({ type, field }))),
    ({ field }) => field.name,
  )
  return new Map(
    [...byName]
      .filter(([, uses]) => new Set(uses.map(({ field }) => signatureOf(field))).size > 1)
      .map(([name, uses]) => [
        name,
        uses.map(({ type, field }) => `${type.name}.${name}: ${signatureOf(field)}`).join('\n'),
      ]),
  )
}

/**
 * `node` finds one object by its id, whose type a client knows: a session has a status and a request has one, and
 * both have their usual names. Beyond these a conflict is an error.
 */
const OF_NODE = ['cost', 'error', 'name', 'sizeBytes', 'startedAt', 'status', 'url']

test('fields of one name have one type, nullability and arguments in all types of an interface or union', () => {
  expect(returned.map(({ name }) => name)).toEqual(expect.arrayContaining(['Node', 'SessionEvent']))
  for (const abstract of returned) {
    const conflicts = conflictsIn(abstract)
    if (abstract.name === 'Node') expect([...conflicts.keys()].toSorted()).toEqual(OF_NODE)
    else expect([abstract.name, ...conflicts.values()]).toEqual([abstract.name])
  }
})

const EVENT = schema.getType('SessionEvent') as GraphQLAbstractType

describe('all fields of all kinds of entries, without an alias', () => {
  const everything = (levels: number) => [
    ['live', `subscription { sessionEvents(sessionId: "x") { entries ${wholeSelection(EVENT, levels)} } }`],
    ['as a page', `{ session(id: "x") { events { nodes ${wholeSelection(EVENT, levels)} } } }`],
    ['as a page of edges', `{ session(id: "x") { events { edges { node ${wholeSelection(EVENT, levels)} } } } }`],
  ]

  test.each(everything(3))('are a valid selection, with what they refer to: %s', (_, query) => {
    for (const type of schema.getPossibleTypes(EVENT)) expect(query).toContain(`... on ${type.name}`)
    expect(validate(schema, parse(query), undefined, { maxErrors: 10 })).toEqual([])
  })

  const operations = new GraphqlOperations({} as Domain, pino({ level: 'silent' }))

  test.each(everything(2))('are within the limits of an operation: %s', (_, query) => {
    const prepared = operations.prepare({ query })
    expect('type' in prepared ? [] : prepared).toEqual([])
  })
})

describe('names of lists', () => {
  const outputs = types
    .filter((type) => isObjectType(type))
    .filter(({ name }) => name !== 'Subscription')
    .flatMap((type) => fieldsOf(type))
  const isList = ({ type }: Field) => isListType(isNonNullType(type) ? type.ofType : type)
  const isConnection = ({ type }: Field) => getNamedType(type).name.endsWith('Connection')

  test('a name of a connection is nowhere that of a plain list', () => {
    const connections = new Set(outputs.filter(isConnection).map(({ name }) => name))
    expect([...connections].toSorted()).toEqual(
      expect.arrayContaining(['actions', 'artifacts', 'consoleMessages', 'events', 'networkRequests', 'sessions']),
    )
    expect(outputs.filter((field) => isList(field) && connections.has(field.name))).toEqual([])
  })
})

describe('batches of the subscriptions to a log', () => {
  const batches = types.filter((type) => isObjectType(type)).filter(({ name }) => name.endsWith('Batch'))

  test.each(batches.map((type) => [type.name, type] as const))('%s is a LogBatch', (_, type) => {
    expect(type.getInterfaces().map(({ name }) => name)).toEqual(['LogBatch'])
  })

  test('every one of a subscription is among them, with what it takes to resume', () => {
    const subscribed = fieldsOf(schema.getSubscriptionType()!).filter(({ args }) =>
      args.some(({ name }) => name === 'after'),
    )
    expect(subscribed.map(({ type }) => getNamedType(type)).toSorted()).toEqual(batches.toSorted())
    const shared = schema.getType('LogBatch')
    expect(isInterfaceType(shared) && Object.keys(shared.getFields())).toEqual([
      'cursor',
      'live',
      'dropped',
      'droppedUnknown',
    ])
  })
})
