import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { deeplyWellFormed, wellFormed } from '../../src/domain/log/entries/well-formed.ts'

/** Strings of any UTF-16 code units: NUL and lone surrogates among them. */
const anyText = fc
  .array(fc.oneof(fc.constantFrom(0, 0xd800, 0xdbff, 0xdc00, 0xdfff), fc.integer({ min: 0, max: 0xffff })))
  .map((units) => String.fromCharCode(...units))

describe('text made fit to store', () => {
  test('is well-formed, free of U+0000 and as long as before', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const repaired = wellFormed(text)
        expect(repaired.isWellFormed()).toBe(true)
        expect(repaired).not.toContain('\0')
        expect(repaired).toHaveLength(text.length)
        if (text.isWellFormed() && !text.includes('\0')) expect(repaired).toBe(text)
      }),
    )
  })

  test('deeply, in keys too, without changing what it was given', () => {
    const json = fc.letrec((tie) => ({
      value: fc.oneof({ depthSize: 'small' }, anyText, fc.integer(), fc.constant(null), tie('list'), tie('object')),
      list: fc.array(tie('value'), { maxLength: 4 }),
      object: fc.dictionary(anyText, tie('value'), { maxKeys: 4 }),
    })).value
    fc.assert(
      fc.property(json, (value) => {
        const before = JSON.stringify(value)
        const repaired = JSON.stringify(deeplyWellFormed(value))
        expect(JSON.stringify(value)).toBe(before)
        expect(repaired).not.toMatch(/(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f])/)
      }),
    )
  })

  test('what needs no repair is not copied', () => {
    const value = { text: 'plain', list: ['a', { b: 'ü' }], nothing: null }
    expect(deeplyWellFormed(value)).toBe(value)
  })
})
