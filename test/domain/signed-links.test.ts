import { expect, test } from 'vitest'
import { SignedLinks } from '../../src/domain/signed-links.ts'

const links = new SignedLinks(
  () => ['a secret of the test'],
  () => 'http://127.0.0.1',
)
const BASE64_URL = Array.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_')

test('a signature is one text alone: whoever changes any character of it has none', () => {
  const { query } = links.sign('cdp', ['one'], 60)
  expect(links.isValid('cdp', ['one'], query)).toBe(true)
  const { expires, signature } = query
  for (let at = 0; at < signature.length; at += 1) {
    for (const character of BASE64_URL.filter((one) => one !== signature[at])) {
      const changed = signature.slice(0, at) + character + signature.slice(at + 1)
      // The last character stands for four bits, and has room for six.
      expect([changed, links.isValid('cdp', ['one'], { expires, signature: changed })]).toEqual([changed, false])
    }
  }
})

test('a signature is good for its purpose, its subject and its time alone', () => {
  const { query } = links.sign('cdp', ['one', 'two'], 60)
  expect(links.isValid('live', ['one', 'two'], query)).toBe(false)
  expect(links.isValid('cdp', ['one'], query)).toBe(false)
  expect(links.isValid('cdp', ['one,two'], query)).toBe(false)
  expect(links.isValid('cdp', ['one', 'two'], { ...query, expires: String(Number(query.expires) + 1) })).toBe(false)
})
