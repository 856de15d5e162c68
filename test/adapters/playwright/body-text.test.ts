import { expect, test } from 'vitest'
import { contentOf, plainContentOf, startOf } from '../../../src/adapters/playwright/recorders/bodies/body-text.ts'
import { ByteBudget } from '../../../src/adapters/playwright/recorders/bodies/byte-budget.ts'
import { isTextual, isUnknown, mediaTypeOf } from '../../../src/adapters/playwright/recorders/bodies/media-type.ts'
import { NO_DEADLINE } from '../../support/time-limits.ts'

const OFTEN = { interval: 1 }

test.each([
  ['text/plain', null, 'text/plain', null, true],
  ['Application/JSON; Charset="UTF-16"', null, 'application/json', 'utf-16', true],
  ['text/html;charset=latin1;x=y', null, 'text/html', 'latin1', true],
  ['application/ld+json', null, 'application/ld+json', null, true],
  ['image/svg+xml', null, 'image/svg+xml', null, true],
  ['image/png', null, 'image/png', null, false],
  ['application/octet-stream\ntext/plain', null, 'application/octet-stream', null, false],
  [null, 'text/plain', 'text/plain', null, true],
  [null, '', '', null, false],
  ['nonsense', null, 'nonsense', null, false],
])('a type of %j, taken for %j, is %j', (header, found, essence, charset, textual) => {
  const type = mediaTypeOf(header, found ?? undefined)
  expect(type).toEqual({ essence, charset })
  expect(isTextual(type)).toBe(textual)
  expect(isUnknown(type)).toBe(!essence.includes('/'))
})

test.each([
  ['text/plain; charset=iso-2022-jp', '\x1b$B$3\x1b(B', false, 'こ'],
  ['text/plain; charset=utf-16le', 'a\0b\0', false, 'ab'],
  ['text/plain; charset=latin1', 'déjà decoded', false, 'déjà decoded'],
  ['text/plain; charset=no-such', 'plain', false, 'plain'],
  ['application/json; charset=windows-1251', Buffer.from([0xcf]).toString('base64'), true, 'П'],
  [
    'application/xml',
    Buffer.from('<?xml version="1.0" encoding="latin1"?>\xe9', 'latin1').toString('base64'),
    true,
    '<?xml version="1.0" encoding="latin1"?>é',
  ],
  ['text/plain', Buffer.from('na\xefve', 'latin1').toString('base64'), true, 'naïve'],
  // A byte order mark is stronger than the header.
  ['text/plain', Buffer.from('\ufeffé', 'utf16le').toString('base64'), true, 'é'],
  ['text/plain; charset=latin1', Buffer.from('\ufeffé', 'utf16le').toString('base64'), true, 'é'],
  ['application/json; charset=utf-8', Buffer.from('\ufeffé', 'utf16le').swap16().toString('base64'), true, 'é'],
  ['image/png', Buffer.from([0x89, 0x50]).toString('base64'), true, null],
  ['text/plain', Buffer.from([0x89, 0x01]).toString('base64'), true, null],
  ['application/json', 'a\0b', false, null],
])('%s: %j, base64 %j, is the text %j', (header, body, isBase64, expected) => {
  const { bytes, isText } = contentOf(body, isBase64, mediaTypeOf(header))
  expect(isText ? Buffer.from(bytes).toString() : null).toBe(expected)
})

test.each([
  ['aé', 1, 'a'],
  ['aé', 2, 'a'],
  ['aé', 3, 'aé'],
  ['a€', 3, 'a'],
  ['a😀b', 4, 'a'],
  ['a😀b', 5, 'a😀'],
])('the first %j of %d bytes is %j', (text, length, expected) => {
  const bytes = Buffer.from(text)
  expect(Buffer.from(startOf({ bytes, isText: true }, length)).toString()).toBe(expected)
  const { bytes: reported, isText } = plainContentOf(bytes.subarray(0, length), true)
  expect([Buffer.from(reported).toString(), isText]).toEqual([expected, true])
})

test('bytes under way are bounded, and what waits too long leaves', async () => {
  const budget = new ByteBudget(10, 3)
  const begun: string[] = []
  const ends = new Map<string, () => void>()
  const work = (name: string, bytes: number, leave = NO_DEADLINE) =>
    budget.run(bytes, leave, () => {
      begun.push(name)
      const { promise, resolve } = Promise.withResolvers<string>()
      ends.set(name, () => resolve(name))
      return promise
    })
  const late = new AbortController()
  const large = work('large', 100)
  const left = work('left', 1, late.signal)
  const others = ['a', 'b', 'c', 'd'].map((name) => work(name, name === 'c' ? 9 : 1))
  expect(begun).toEqual(['large'])
  late.abort(new Error('late'))
  await expect(left).rejects.toThrow('late')
  ends.get('large')!()
  await large
  // The third would exceed the limit, and no later one overtakes it.
  await expect.poll(() => begun, OFTEN).toEqual(['large', 'a', 'b'])
  ends.get('a')!()
  await expect.poll(() => begun, OFTEN).toEqual(['large', 'a', 'b', 'c'])
  ends.get('b')!()
  await expect.poll(() => begun, OFTEN).toEqual(['large', 'a', 'b', 'c', 'd'])
  ends.get('c')!()
  ends.get('d')!()
  expect(await Promise.all(others)).toEqual(['a', 'b', 'c', 'd'])
})
