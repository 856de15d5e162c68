import { randomUUID } from 'node:crypto'
import { describe, expect, test, vi } from 'vitest'
import { SignedLinks, type LinkPurpose } from '../../src/domain/links/signed-links.ts'

const ended = new Set<string>()
const listeners = new Map<string, () => void>()
const lookedUp: string[] = []
const keys = {
  isValid: async (id: string) => {
    lookedUp.push(id)
    return !ended.has(id)
  },
  onInvalid: (id: string, listener: () => void) => {
    listeners.set(id, listener)
    return () => void listeners.delete(id)
  },
}
const links = new SignedLinks(
  () => ['a secret of the test'],
  () => 'http://127.0.0.1',
  keys,
)
const BASE64_URL = Array.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_')

const keyFor = (expiresAt: number | null = null) => ({ apiKeyId: randomUUID(), expiresAt })

describe('a signature', () => {
  test('is one text alone: whoever changes any character of it has none', async () => {
    const query = links.sign('cdp', ['one'], links.terms(keyFor(), 60))
    expect(await links.read('cdp', ['one'], query)).not.toBeNull()
    const { signature } = query
    for (let at = 0; at < signature.length; at += 1) {
      for (const character of BASE64_URL.filter((one) => one !== signature[at])) {
        const changed = signature.slice(0, at) + character + signature.slice(at + 1)
        // The last character encodes four bits, and has room for six.
        expect([changed, await links.read('cdp', ['one'], { ...query, signature: changed })]).toEqual([changed, null])
      }
    }
  })

  test('is good for its purpose, its subject, its time and its maker alone', async () => {
    const query = links.sign('cdp', ['one', 'two'], links.terms(keyFor(), 60))
    const read = (purpose: LinkPurpose, subject: string[], change = {}) =>
      links.read(purpose, subject, { ...query, ...change })
    expect(await read('cdp', ['one', 'two'])).not.toBeNull()
    expect(await read('live', ['one', 'two'])).toBeNull()
    expect(await read('cdp', ['one'])).toBeNull()
    expect(await read('cdp', ['one,two'])).toBeNull()
    expect(await read('cdp', ['one', 'two'], { expires: String(Number(query.expires) + 1) })).toBeNull()
    expect(await read('cdp', ['one', 'two'], { maker: `key:${randomUUID()}` })).toBeNull()
    expect(await read('cdp', ['one', 'two'], { maker: 'token:x' })).toBeNull()
    expect(await read('cdp', ['one', 'two'], { maker: null })).toBeNull()
  })
})

describe('the terms of a link', () => {
  test('are never longer than the key, whose fraction of a second it does not get', () => {
    const expiresAt = Date.now() + 20_400
    expect(links.terms(keyFor(expiresAt), 3600).expiresAt).toBe(Math.floor(expiresAt / 1000) * 1000)
    expect(links.terms(keyFor(expiresAt), 5).expiresAt).toBeLessThan(expiresAt - 10_000)
    expect(links.terms(keyFor(), 3600).expiresAt).toBeGreaterThan(Date.now() + 3_590_000)
  })

  test('name the key, and a link of one that has ended is none', async () => {
    const key = keyFor()
    const terms = links.terms(key, 60)
    expect(terms.maker).toBe(`key:${key.apiKeyId}`)
    const query = links.sign('live', ['one'], terms)
    expect(await links.read('live', ['one'], query)).toEqual(terms)
    ended.add(key.apiKeyId)
    expect(await links.read('live', ['one'], query)).toBeNull()
  })

  test('of what is no API key are its own time alone', async () => {
    const token = { apiKeyId: 'token:abc-_', expiresAt: Date.now() + 60_000 }
    const terms = links.terms(token, 3600)
    expect(terms).toEqual({ maker: 'token:abc-_', expiresAt: Math.floor(token.expiresAt / 1000) * 1000 })
    lookedUp.length = 0
    expect(await links.read('live', ['one'], links.sign('live', ['one'], terms))).toEqual(terms)
    expect(lookedUp).toEqual([])
  })

  test('a link that somebody made up causes no look-up', async () => {
    const query = links.sign('live', ['one'], links.terms(keyFor(), 60))
    lookedUp.length = 0
    await links.read('live', ['other'], query)
    expect(lookedUp).toEqual([])
  })
})

describe('what a link has open is told its end once', () => {
  test('when its time is up', async () => {
    const reported = vi.fn()
    links.onEnd({ maker: `key:${randomUUID()}`, expiresAt: Date.now() + 50 }, reported)
    await expect.poll(() => reported.mock.calls).toEqual([['EXPIRED']])
    expect(listeners.size).toBe(0)
  })

  test('when its key is revoked', () => {
    const [reported, id] = [vi.fn(), randomUUID()]
    const stop = links.onEnd({ maker: `key:${id}`, expiresAt: Date.now() + 60_000 }, reported)
    listeners.get(id)!()
    expect(reported.mock.calls).toEqual([['REVOKED']])
    stop()
    expect(listeners.size).toBe(0)
  })

  test('unless it has left', async () => {
    const [reported, later] = [vi.fn(), vi.fn()]
    const terms = { maker: `key:${randomUUID()}`, expiresAt: Date.now() + 20 }
    links.onEnd(terms, reported)()
    links.onEnd({ ...terms, expiresAt: terms.expiresAt + 20 }, later)
    await expect.poll(() => later).toHaveBeenCalledOnce()
    expect(reported).not.toHaveBeenCalled()
  })
})
