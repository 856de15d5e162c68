import { expect, test } from 'vitest'
import { parseSessionFilter, type SessionFilterInput } from '../../src/domain/sessions/input/session-filter.ts'

const NOTHING = { status: null, createdAfter: null, createdBefore: null, name: null, metadata: null }

test.each([
  [undefined, NOTHING],
  [null, NOTHING],
  [{}, NOTHING],
  [{ status: null, createdAfter: null, createdBefore: null, name: null, metadata: null }, NOTHING],
  [{ name: '' }, { ...NOTHING, name: '' }],
  [{ status: [] }, { ...NOTHING, status: [] }],
  [{ createdAfter: new Date(0) }, { ...NOTHING, createdAfter: 0 }],
  [
    { status: ['RUNNING', 'CREATING'], createdBefore: new Date('2026-11-26T00:00:00Z'), metadata: { team: { id: 7 } } },
    {
      ...NOTHING,
      status: ['RUNNING', 'CREATING'],
      createdBefore: Date.UTC(2026, 10, 26),
      metadata: { team: { id: 7 } },
    },
  ],
] satisfies [SessionFilterInput | null | undefined, unknown][])('%j is understood', (input, filter) => {
  expect(parseSessionFilter(input, ['filter'])).toEqual(filter)
})

test('every broken rule is told at once, under its code and path', () => {
  const input = {
    createdAfter: new Date(-1),
    createdBefore: new Date('+010000-01-01T00:00:00Z'),
    name: '\u{D83D}',
    metadata: ['no', 'object'],
  }
  const reported = [
    { path: ['filter', 'createdAfter'], code: 'OUT_OF_RANGE', message: 'must be in the years 1970 to 9999' },
    { path: ['filter', 'createdBefore'], code: 'OUT_OF_RANGE', message: 'must be in the years 1970 to 9999' },
    { path: ['filter', 'name'], code: 'INVALID_FORMAT', message: 'must not hold U+0000 or lone surrogates' },
    { path: ['filter', 'metadata'], code: 'INVALID_FORMAT', message: 'must be a JSON object' },
  ]
  expect(() => parseSessionFilter(input, ['filter'])).toThrow(
    expect.objectContaining({ code: 'BAD_USER_INPUT', issues: reported }) as Error,
  )
})
