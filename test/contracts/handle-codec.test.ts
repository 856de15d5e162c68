import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BadUserInput } from '../../src/domain/kernel/errors.ts'
import { StoreUnavailable } from '../../src/ports/store/store-errors.ts'
import { decode, decodeError, encode, encodeError } from '../../src/domain/remote/codec.ts'

const NEVER = new AbortController().signal

describe('values', () => {
  test('arrive as they were sent, byte arrays included, and share nothing with them', () => {
    const bytes = fc.uint8Array().map((array) => ({ bytes: array }))
    const value = fc.oneof(
      fc.jsonValue({ stringUnit: 'binary' }),
      bytes,
      fc.array(bytes),
      fc.tuple(fc.jsonValue(), bytes),
    )
    fc.assert(
      fc.property(value, (sent) => {
        const encoded = encode(sent)
        const arrived = decode(encoded)
        encoded.fill(0)
        // JSON has no negative zero.
        expect(JSON.stringify(arrived)).toBe(JSON.stringify(sent))
      }),
    )
    expect(decode(encode({ picture: new Uint8Array([0, 255]), title: '' }))).toEqual({
      picture: new Uint8Array([0, 255]),
      title: '',
    })
  })

  test('lose members that are undefined, and nothing else', () => {
    expect(decode(encode({ given: null, absent: undefined }))).toEqual({ given: null })
  })

  test.each([
    [new Date()],
    [new Map()],
    [() => 1],
    [Number.NaN],
    [undefined],
    [1n],
    [AbortSignal.abort()],
    [new Error('no')],
  ])('that are not plain data are refused with their place: %s', (value) => {
    expect(() => encode({ deep: [{ value }, value] })).toThrow(/^deep\.[01].* cannot cross a network/)
  })
})

describe('failures', () => {
  const cross = (error: unknown, signal = NEVER, own = signal) =>
    decodeError(decode(encode(encodeError(error, signal))) as ReturnType<typeof encodeError>, own)

  test('keep code, message and extensions', () => {
    const refusal = new BadUserInput([{ path: ['input', 0], code: 'REQUIRED', message: 'must be there' }])
    const { code, message, extensions } = refusal
    expect(cross(refusal)).toMatchObject({ code, message, extensions })
  })

  test('of a store that is away are told as clients are told', () => {
    expect(cross(new StoreUnavailable(new Error('gone')))).toMatchObject({
      code: 'DATABASE_UNAVAILABLE',
      extensions: { retryAfterSeconds: expect.any(Number) as number },
    })
  })

  test('by a signal are the reason of the caller', () => {
    const reason = new Error('left')
    const [there, here] = [AbortSignal.abort(), AbortSignal.abort(reason)]
    expect(cross(there.reason, there, here)).toBe(reason)
  })

  test('that are faults tell nothing', () => {
    expect(JSON.stringify(encodeError(new Error('secret'), NEVER))).not.toContain('secret')
  })
})
