import { describe, expect, test } from 'vitest'
import { WorkerSchemas } from '../../src/adapters/json-schema/worker-schemas.ts'
import { OutputSchemaInvalid } from '../../src/ports/tasks/output-schema.ts'

const schemas = new WorkerSchemas()

const PRICES = {
  type: 'object',
  properties: { name: { type: 'string' }, price: { type: 'number', minimum: 0 }, seen: { format: 'date' } },
  required: ['name', 'price'],
  additionalProperties: false,
}

const problemOf = async (schema: unknown, result: unknown) => (await schemas.read(schema)).problemOf(result)

describe('a result', () => {
  test('that fits has no problem', async () => {
    expect(await problemOf(PRICES, { name: 'a', price: 1, seen: '2026-11-23' })).toBeNull()
  })

  test('that does not fit: every problem, each with its place', async () => {
    const problem = await problemOf(PRICES, { name: 1, price: -1, seen: 'today', other: 1 })
    for (const part of ['/name', '/price', '/seen', 'additional']) expect(problem).toContain(part)
  })

  test('is checked by drafts old and new', async () => {
    const tuple = {
      $schema: 'http://json-schema.org/draft-07/schema#',
      items: [{ type: 'number' }, { type: 'string' }],
    }
    expect(await problemOf(tuple, [1, 2])).toContain('/1')
    const prefix = { $schema: 'https://json-schema.org/draft/2020-12/schema', prefixItems: [{ type: 'number' }] }
    expect(await problemOf(prefix, ['a'])).toContain('/0')
    const old = { $schema: 'http://json-schema.org/draft-06/schema#', const: 1 }
    expect(await problemOf(old, 2)).not.toBeNull()
  })

  test('is checked by references into the schema itself', async () => {
    const schema = { $defs: { price: { type: 'number' } }, properties: { a: { $ref: '#/$defs/price' } } }
    expect(await problemOf(schema, { a: 'x' })).toContain('/a')
  })

  test('that would take for ever to check is stopped, and holds up nobody else', async () => {
    const schema = await schemas.read({ type: 'string', pattern: '^(a+)+$' })
    let turns = 0
    const others = setInterval(() => (turns += 1), 10)
    expect(await schema.problemOf(`${'a'.repeat(60)}!`)).toContain('too long')
    clearInterval(others)
    expect(turns).toBeGreaterThan(10)
    expect(await schema.problemOf('aaa')).toBeNull()
  })
})

test.each([
  ['a list', []],
  ['a text', 'object'],
  ['an unknown type', { type: 'objekt' }],
  ['a reference to elsewhere', { $ref: 'https://example.com/schema.json' }],
  ['a reference to nothing', { $ref: '#/$defs/none' }],
  ['a pattern that is none', { pattern: '(' }],
  ['an unknown draft', { $schema: 'https://example.com/mine' }],
  ['an asynchronous one', { $async: true, type: 'object' }],
])('%s is refused', async (_, schema) => {
  await expect(schemas.read(schema)).rejects.toThrow(OutputSchemaInvalid)
})

test.each([
  ['to itself', { $ref: '#' }],
  ['in a ring', { $defs: { a: { $ref: '#/$defs/b' }, b: { $ref: '#/$defs/a' } }, $ref: '#/$defs/a' }],
  ['within what applies to the same value', { allOf: [{ anyOf: [{ $ref: '#' }] }] }],
])('a reference %s is refused in words', async (_, schema) => {
  await expect(schemas.read(schema)).rejects.toThrow('refers to itself without an end')
})

test('many at once are read one after the other, and none is mixed up', async () => {
  const read = await Promise.all(Array.from({ length: 6 }, (_, n) => schemas.read({ const: n })))
  const problems = await Promise.all(read.map((schema, n) => schema.problemOf(n === 3 ? 'other' : n)))
  expect(problems.map((problem) => problem === null)).toEqual([true, true, true, false, true, true])
})
