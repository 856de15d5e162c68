import { describe, expect, test } from 'vitest'
import {
  findInJson,
  jsonOf,
  leafText,
  memberOf,
  namesOf,
  type JsonLeaf,
} from '../../dashboard/src/base/json-document.ts'
import { findInText, patternOf } from '../../dashboard/src/base/text-search.ts'

describe('a document is a tree', () => {
  test('where it is an object or a list that is whole', () => {
    expect(jsonOf(' {"a": [1, null]}')).toEqual({ a: [1, null] })
    expect(jsonOf('[]')).toEqual([])
    for (const text of ['"text"', '1', 'null', '', '{"a": 1', '<html>', '{}{}']) expect(jsonOf(text)).toBe(null)
  })

  test('unless it is deeper than anybody reads, or than a stack is', () => {
    const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)
    expect(jsonOf(nested(90))).not.toBe(null)
    expect(jsonOf(nested(200))).toBe(null)
    expect(jsonOf(nested(1_000_000))).toBe(null)
    expect(jsonOf(`[1234567890123456789, ${nested(500_000)}]`)).toBe(null)
  })

  test('whose numbers are those that were sent', () => {
    const root = jsonOf('{"id": 12345678901234567890, "far": 1e400, "near": 0.1, "safe": 9007199254740991}')!
    const names = namesOf(root)!
    const shown = names.map((_, index) => leafText(memberOf(root, names, index) as JsonLeaf))
    expect(shown).toEqual(['12345678901234567890', '1e400', '0.1', '9007199254740991'])
  })

  test('whose names are data', () => {
    const root = jsonOf('{"__proto__": {"a": 1}, "constructor": 2}')!
    expect(namesOf(root)).toEqual(['__proto__', 'constructor'])
    expect(memberOf(root, namesOf(root), 0)).toEqual({ a: 1 })
  })
})

test('names and values are found in their order, in any case, at their place', () => {
  const root = jsonOf('{"Error": {"code": 7, "text": "no error"}, "list": [true, "ERRORS"], "none": null}')!
  expect(findInJson(root, patternOf('error'), 10)).toEqual([[0], [0, 1], [1, 1]])
  expect(findInJson(root, patternOf('error'), 2)).toEqual([[0], [0, 1]])
  expect(findInJson(root, patternOf('null'), 10)).toEqual([[2]])
})

test('what is typed is searched as it is', () => {
  expect(findInText('a.b A.B a+b', patternOf('a.b'), 10)).toEqual([
    [0, 3],
    [4, 7],
  ])
  expect(findInText('[x] (y) \\ $', patternOf('(Y) \\ $'), 10)).toEqual([[4, 11]])
  expect(findInText('aaaa', patternOf('a'), 3)).toHaveLength(3)
})
