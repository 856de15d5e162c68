import { describe, expect, test } from 'vitest'
import { OutputSchemaInvalid, readOutputSchema } from '../../src/domain/output-schema.ts'

const PRICES = {
  type: 'object',
  properties: { name: { type: 'string' }, price: { type: 'number', minimum: 0 }, seen: { format: 'date' } },
  required: ['name', 'price'],
  additionalProperties: false,
}

describe('a result', () => {
  test('that fits has no problem', () => {
    expect(readOutputSchema(PRICES).problemOf({ name: 'a', price: 1, seen: '2026-11-23' })).toBeNull()
  })

  test('that does not fit: every problem, each with its place', () => {
    const problem = readOutputSchema(PRICES).problemOf({ name: 1, price: -1, seen: 'today', other: 1 })
    for (const part of ['/name', '/price', '/seen', 'additional']) expect(problem).toContain(part)
  })

  test('is checked by drafts old and new', () => {
    const tuple = {
      $schema: 'http://json-schema.org/draft-07/schema#',
      items: [{ type: 'number' }, { type: 'string' }],
    }
    expect(readOutputSchema(tuple).problemOf([1, 2])).toContain('/1')
    const prefix = { $schema: 'https://json-schema.org/draft/2020-12/schema', prefixItems: [{ type: 'number' }] }
    expect(readOutputSchema(prefix).problemOf(['a'])).toContain('/0')
    const old = { $schema: 'http://json-schema.org/draft-06/schema#', const: 1 }
    expect(readOutputSchema(old).problemOf(2)).not.toBeNull()
  })

  test('is checked by references into the schema itself', () => {
    const schema = { $defs: { price: { type: 'number' } }, properties: { a: { $ref: '#/$defs/price' } } }
    expect(readOutputSchema(schema).problemOf({ a: 'x' })).toContain('/a')
  })

  test('that would take for ever to check is stopped', () => {
    const schema = readOutputSchema({ type: 'string', pattern: '^(a+)+$' })
    expect(schema.problemOf(`${'a'.repeat(60)}!`)).toContain('too long')
    expect(schema.problemOf('aaa')).toBeNull()
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
])('%s is refused', (_, schema) => {
  expect(() => readOutputSchema(schema)).toThrow(OutputSchemaInvalid)
})

test.each([
  ['to itself', { $ref: '#' }],
  ['in a ring', { $defs: { a: { $ref: '#/$defs/b' }, b: { $ref: '#/$defs/a' } }, $ref: '#/$defs/a' }],
  ['within what applies to the same value', { allOf: [{ anyOf: [{ $ref: '#' }] }] }],
])('a reference %s is refused in words', (_, schema) => {
  expect(() => readOutputSchema(schema)).toThrow('refers to itself without an end')
})
