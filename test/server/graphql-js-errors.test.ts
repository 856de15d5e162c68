import { buildSchema, GraphQLError, parse, validate, type ParseOptions } from 'graphql'
import { describe, expect, test } from 'vitest'
import { isParsingAborted, isValidationAborted } from '../../src/server/graphql/graphql-js-errors.ts'

const schema = buildSchema('type Query { a(b: Int): String }')

/** The error of parsing. */
function refusalOf(document: string, options: ParseOptions = {}): unknown {
  try {
    parse(document, options)
  } catch (error) {
    return error
  }
  return null
}

describe('parsing', () => {
  test('is aborted at the limit of tokens, and at that of comments', () => {
    expect(isParsingAborted(refusalOf('{ a a a a }', { maxLexicalTokens: 3 }))).toBe(true)
    expect(isParsingAborted(refusalOf('{ a\n#\n#\n#\n}', { maxComments: 2 }))).toBe(true)
  })

  test('is not, where the document is wrong', () => {
    expect(refusalOf('{ a')).toBeInstanceOf(GraphQLError)
    expect(isParsingAborted(refusalOf('{ a'))).toBe(false)
    expect(isParsingAborted(new Error('Parsing aborted.'))).toBe(false)
  })
})

describe('validation', () => {
  const errorsOf = (document: string) => validate(schema, parse(document), undefined, { maxErrors: 5 })

  test('is aborted where fields of one name are too many to compare', () => {
    expect(isValidationAborted(errorsOf(`{ ${'a '.repeat(3_000)} }`))).toBe(true)
  })

  test('is not, where the document has mistakes, be they too many to tell', () => {
    expect(errorsOf('{ b }')).toHaveLength(1)
    expect(isValidationAborted(errorsOf('{ b }'))).toBe(false)
    const many = errorsOf('{ b c d e f g h i j }')
    expect(many.at(-1)?.message).toMatch(/Too many validation errors/)
    expect(isValidationAborted(many)).toBe(false)
  })
})
