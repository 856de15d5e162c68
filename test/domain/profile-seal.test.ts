import { expect, test } from 'vitest'
import { ProfileCipher, SealBroken } from '../../src/domain/profiles/profile-cipher.ts'

const SECRET = 'a secret of at least thirty-two characters'
const ann = { owner: 'ann', name: 'shop' }
const content = Buffer.from('{"cookies":[{"value":"k9-correct-horse"}]}')

test('what was sealed is opened with the same key as the same profile', () => {
  const sealed = new ProfileCipher([SECRET]).seal(ann, content)
  expect(new ProfileCipher([SECRET]).open(ann, sealed)).toEqual(content)
  expect(Buffer.from(sealed).includes('correct-horse')).toBe(false)
})

test('no two seals are alike', () => {
  const seal = new ProfileCipher([SECRET])
  expect(seal.seal(ann, content)).not.toEqual(seal.seal(ann, content))
})

test('another key, another profile and a changed byte are told, never read as something else', () => {
  const sealed = new ProfileCipher([SECRET]).seal(ann, content)
  expect(() => new ProfileCipher([`${SECRET}!`]).open(ann, sealed)).toThrow(SealBroken)
  for (const other of [
    { ...ann, owner: 'bob' },
    { ...ann, name: 'bank' },
    { owner: 'an', name: 'nshop' },
  ]) {
    expect(() => new ProfileCipher([SECRET]).open(other, sealed)).toThrow(SealBroken)
  }
  for (const place of [0, 1, 13, 29, sealed.length - 1]) {
    const changed = Uint8Array.from(sealed)
    changed[place]! ^= 1
    expect(() => new ProfileCipher([SECRET]).open(ann, changed)).toThrow(SealBroken)
  }
  expect(() => new ProfileCipher([SECRET]).open(ann, new Uint8Array(0))).toThrow(SealBroken)
})

test('what an earlier secret sealed is opened, and the newest seals', () => {
  const before = new ProfileCipher([SECRET])
  const now = new ProfileCipher([`${SECRET}!`, SECRET])
  expect(now.open(ann, before.seal(ann, content))).toEqual(content)
  expect(new ProfileCipher([`${SECRET}!`]).open(ann, now.seal(ann, content))).toEqual(content)
})
