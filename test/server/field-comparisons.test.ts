import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { getIntrospectionQuery, parse } from 'graphql'
import { pino } from 'pino'
import { describe, expect, test } from 'vitest'
import type { Domain } from '../../src/schema/base/context.ts'
import { countComparisons } from '../../src/server/graphql/field-comparisons.ts'
import { GraphqlOperations } from '../../src/server/graphql/graphql.ts'
import { QUERY_LIMITS } from '../../src/server/graphql/query-limits.ts'

const times = (count: number, text: (index: number) => string) =>
  Array.from({ length: count }, (_, index) => text(index)).join(' ')

const count = (query: string, limit = 1_000_000) => countComparisons(parse(query), limit)

/** The outcome of a document, and the look-ups in maps that deciding it took: work, whatever else the machine does. */
function decide(query: string): { outcome: string; lookups: number } {
  const operations = new GraphqlOperations({} as Domain, pino({ level: 'silent' }))
  const { get } = Map.prototype
  let lookups = 0
  Map.prototype.get = function (key) {
    lookups += 1
    return get.call(this, key) as unknown
  }
  try {
    const prepared = operations.prepare({ query })
    const outcome = 'type' in prepared ? 'runs' : String(prepared[0]!.extensions['code'])
    return { outcome, lookups }
  } finally {
    Map.prototype.get = get
  }
}

describe('fields of one response name are compared', () => {
  test.each([
    ['each with each other', `{ ${times(10, () => 'capacity { live }')} }`, 45],
    ['not with those of another name', `{ ${times(10, (i) => `a${i}: capacity { live }`)} }`, 0],
    [
      'below fields that are merged',
      '{ session(id: "x") { health { status } } session(id: "x") { health { status } } }',
      2,
    ],
    [
      'not below fields of other names',
      '{ a: session(id: "x") { health { status } } b: session(id: "x") { health { status } } }',
      0,
    ],
    ['in inline fragments', `{ ${times(10, () => '... on Query { capacity { live } }')} }`, 45],
    [
      'with those of fragments, which are compared themselves',
      '{ capacity { live } ...F } fragment F on Query { capacity { live } }',
      2,
    ],
    [
      'in a fragment once, however often it is spread there',
      '{ ...F ...F ...F } fragment F on Query { capacity { live } }',
      1,
    ],
    [
      'in fragments that nothing spreads',
      `{ __typename } fragment F on Query { ${times(10, () => 'capacity { live }')} }`,
      45,
    ],
    ['cheaply, where they are leaves', `{ ${times(100, () => '__typename')} }`, 0],
    ['where leaves have arguments', '{ a(x: 1) a(x: 1) a(x: 1) }', 3],
  ])('%s', (_, query, expected) => {
    expect(count(query)).toBe(expected)
  })

  test('fragments in circles, and such that double, come to an end', () => {
    expect(count('{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }')).toBeLessThan(10)
    expect(count('{ session(id: "x") { ...A } } fragment A on Session { health { ...A } }')).toBe(1)
    const doubling = `{ ...F0 } ${times(40, (i) => `fragment F${i} on T { a { ...F${i + 1} } b { ...F${i + 1} } }`)}`
    expect(count(doubling, 20_000)).toBe(Infinity)
  })

  test('deeper than the stack', () => {
    expect(count(`{ ${times(1_400, () => '... {')} a { b } ${'}'.repeat(1_400)} }`)).toBe(0)
    expect(count(`{ ${times(1_400, () => 'a {')} b ${'}'.repeat(1_400)} }`)).toBe(0)
  })
})

describe('too many comparisons', () => {
  const HOSTILE: [string, string][] = [
    ['one field again and again', `{ ${times(500, () => 'capacity { live }')} }`],
    ['fewer of them', `{ ${times(300, () => 'capacity { live }')} }`],
    ['introspection', `{ ${times(500, () => '__schema { __typename }')} }`],
    ['with arguments', `{ ${times(300, () => 'session(id: "x") { id }')} }`],
    ['in inline fragments', `{ ${times(290, () => '... { capacity { live } }')} }`],
    [
      'a fragment for each',
      `{ ...F0 } ${times(210, (i) => `fragment F${i} on Query { capacity { live } ...F${i + 1} }`)}`,
    ],
    [
      'a few fragments, often',
      `{ ${times(20, (i) => `...F${i}`)} } ${times(20, (i) => `fragment F${i} on Query { ${times(20, () => 'capacity { live }')} }`)}`,
    ],
    ['below each other', `{ ${times(60, () => `session(id: "x") { ${times(3, () => 'events { nodes { id } }')} }`)} }`],
  ]

  test.each(HOSTILE)('%s: QUERY_TOO_COMPLEX before they are made', (_, query) => {
    const { outcome, lookups } = decide(query)
    expect(outcome).toBe('QUERY_TOO_COMPLEX')
    // Validation alone makes 90,000 and more of them.
    expect(lookups).toBeLessThan(5_000)
  })

  test('as many as are allowed are made', () => {
    expect(decide(`{ ${times(200, () => 'capacity { live }')} }`).outcome).toBe('runs')
    expect(decide(`{ ${times(202, () => 'capacity { live }')} }`).outcome).toBe('QUERY_TOO_COMPLEX')
  })
})

test('what ordinary front ends ask for is below the limit', () => {
  const examples = join(import.meta.dirname, '../../examples')
  const documents = [
    getIntrospectionQuery({ inputValueDeprecation: true, schemaDescription: true, oneOf: true }),
    ...readdirSync(examples)
      .filter((name) => name.endsWith('.graphql'))
      .map((name) => readFileSync(join(examples, name), 'utf8')),
    // Fragments of a hundred components of a page, as Relay makes one of them.
    `query { session(id: "x") { ${times(100, (i) => `...Part${i}`)} } }
     ${times(100, (i) => `fragment Part${i} on Session { id name health { status } }`)}`,
  ]
  for (const document of documents) expect(count(document)).toBeLessThan(QUERY_LIMITS.comparisons)
})
