import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  CursorInvalid,
  decodeEntryCursor,
  decodeSessionCursor,
  encodeEntryCursor,
  encodeSessionCursor,
} from '../../src/domain/kernel/cursor.ts'

const sequence = fc.integer({ min: 0, max: 2_147_483_647 })

describe('a cursor of an entry', () => {
  test('leads back to its sequence', () => {
    fc.assert(
      fc.property(fc.uuid(), sequence, (sessionId, number) => {
        expect(decodeEntryCursor(sessionId, encodeEntryCursor(sessionId, number), 'after')).toBe(number)
      }),
    )
  })

  test('of another session is refused', () => {
    fc.assert(
      fc.property(fc.uuid(), fc.uuid(), sequence, (one, other, number) => {
        fc.pre(one !== other)
        expect(() => decodeEntryCursor(other, encodeEntryCursor(one, number), 'after')).toThrow(CursorInvalid)
      }),
    )
  })

  test('with any one character changed is refused', () => {
    fc.assert(
      fc.property(fc.uuid(), sequence, fc.nat(), fc.string({ minLength: 1, maxLength: 1 }), (id, number, at, other) => {
        const cursor = encodeEntryCursor(id, number)
        const index = at % cursor.length
        fc.pre(cursor[index] !== other)
        const mangled = cursor.slice(0, index) + other + cursor.slice(index + 1)
        expect(() => decodeEntryCursor(id, mangled, 'after')).toThrow(CursorInvalid)
      }),
    )
  })

  test('that is no cursor at all is refused', () => {
    fc.assert(
      fc.property(fc.uuid(), fc.string(), (id, text) => {
        expect(() => decodeEntryCursor(id, text, 'after')).toThrow(CursorInvalid)
      }),
    )
  })
})

describe('a cursor of a session', () => {
  const position = fc.record({ createdAt: fc.integer({ min: 0, max: 4_102_444_800_000 }), id: fc.uuid() })

  test('with a time that no store knows is refused, though its checksum be right', () => {
    const forged = encodeSessionCursor('ann', { createdAt: 8.65e15, id: '00000000-0000-7000-8000-000000000000' })
    expect(() => decodeSessionCursor('ann', forged, 'after')).toThrow(CursorInvalid)
  })

  test('leads back to its position, for its owner alone', () => {
    fc.assert(
      fc.property(position, (place) => {
        const cursor = encodeSessionCursor('ann', place)
        expect(decodeSessionCursor('ann', cursor, 'after')).toEqual(place)
        expect(() => decodeSessionCursor('bob', cursor, 'after')).toThrow(CursorInvalid)
      }),
    )
  })
})
