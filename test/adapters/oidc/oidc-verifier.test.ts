import { generateKeyPair, SignJWT, UnsecuredJWT } from 'jose'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { OidcVerifier, type OidcTiming } from '../../../src/adapters/oidc/oidc-verifier.ts'
import { createLogger } from '../../../src/logger.ts'
import { IdentityProviderDown } from '../../../src/ports/access/token-verifier.ts'
import { AUDIENCE, startIdentityProvider, type IdentityProvider } from '../../support/identity-provider.ts'

let provider: IdentityProvider
const opened: OidcVerifier[] = []

beforeAll(async () => {
  provider = await startIdentityProvider(['ann'])
})
afterEach(() => {
  for (const verifier of opened.splice(0)) verifier.close()
})
afterAll(() => provider.close())

function newVerifier(timing: Partial<OidcTiming> = { cooldownMs: 0 }): OidcVerifier {
  const config = { issuer: provider.issuer, audience: AUDIENCE }
  const verifier = new OidcVerifier(config, createLogger('silent'), timing)
  opened.push(verifier)
  return verifier
}

const inSeconds = (seconds: number) => Math.floor(Date.now() / 1000) + seconds
const claims = () => ({ iss: provider.issuer, aud: AUDIENCE, sub: 'ann', exp: inSeconds(300), scope: 'READ' })

describe('a token of the provider', () => {
  test('tells subject, scopes and expiry', async () => {
    const token = await provider.token('ann', 'READ WRITE', 120)
    const verified = await newVerifier().verify(token)
    expect(verified).toMatchObject({ subject: 'ann', scopes: ['READ', 'WRITE'] })
    expect(verified!.expiresAt).toBeGreaterThan(Date.now())
    expect(verified!.expiresAt).toBeLessThanOrEqual(Date.now() + 121_000)
  })

  test('may have several audiences, and scopes as an array', async () => {
    const token = await provider.sign({ ...claims(), aud: ['another', AUDIENCE], scope: ['READ', 7] as never })
    expect(await newVerifier().verify(token)).toMatchObject({ subject: 'ann', scopes: ['READ'] })
  })

  test('that would expire after the year 9999 expires then', async () => {
    const token = await provider.sign({ ...claims(), exp: 9e12 })
    expect((await newVerifier().verify(token))?.expiresAt).toBe(Date.UTC(9999, 11, 31))
  })

  test('without scopes allows nothing', async () => {
    expect(await newVerifier().verify(await provider.sign({ ...claims(), scope: undefined }))).toMatchObject({
      scopes: [],
    })
  })
})

describe('refused is a token', () => {
  const wrong: [string, () => Promise<string>][] = [
    ['that is none', async () => 'eyJhbGciOiJSUzI1NiJ9.e30.AAAA'],
    ['for another audience', () => provider.sign({ ...claims(), aud: 'another' })],
    ['without an audience', () => provider.sign({ ...claims(), aud: undefined })],
    ['of another issuer', () => provider.sign({ ...claims(), iss: 'https://id.example.org' })],
    ['that has expired, however little', () => provider.sign({ ...claims(), exp: inSeconds(-1) })],
    ['without an expiry', () => provider.sign({ ...claims(), exp: undefined })],
    ['without a subject', () => provider.sign({ ...claims(), sub: undefined })],
    ['whose subject is a number', () => provider.sign({ ...claims(), sub: 5 as never })],
    ['whose subject is an object', () => provider.sign({ ...claims(), sub: { name: 'ann' } as never })],
    ['that is not good yet', () => provider.sign({ ...claims(), nbf: inSeconds(120) })],
    ['that names an unknown key', () => provider.sign(claims(), { kid: 'unknown' })],
    ['that is longer than headers are', () => provider.sign({ ...claims(), padding: 'x'.repeat(20_000) })],
    ['without a signature', async () => new UnsecuredJWT(claims()).encode()],
    [
      'signed with a key of somebody else',
      async () => {
        const { privateKey } = await generateKeyPair('RS256')
        return new SignJWT(claims()).setProtectedHeader({ alg: 'RS256', kid: 'first' }).sign(privateKey)
      },
    ],
    [
      'signed with the provider’s public key as a shared secret',
      async () => {
        const published = await (await fetch(`${provider.issuer}/jwks`)).text()
        const secret = new TextEncoder().encode(published)
        return new SignJWT(claims()).setProtectedHeader({ alg: 'HS256', kid: 'first' }).sign(secret)
      },
    ],
    [
      'whose claims were changed',
      async () => {
        const [header, , signature] = (await provider.sign(claims())).split('.')
        const body = Buffer.from(JSON.stringify({ ...claims(), sub: 'bob' })).toString('base64url')
        return `${header}.${body}.${signature}`
      },
    ],
  ]

  test.each(wrong)('%s', async (_, makeToken) => {
    expect(await newVerifier().verify(await makeToken())).toBeNull()
  })

  test('and one of a provider whose clock is a little ahead is not', async () => {
    expect(await newVerifier().verify(await provider.sign({ ...claims(), nbf: inSeconds(10) }))).not.toBeNull()
  })
})

describe('the keys of the provider', () => {
  test('are fetched once for many tokens', async () => {
    const before = provider.keyRequests
    const verifier = newVerifier({})
    const token = await provider.token('ann', 'READ')
    await Promise.all(Array.from({ length: 20 }, () => verifier.verify(token)))
    expect(provider.keyRequests - before).toBe(1)
  })

  test('that are unknown are looked for, but not for each token of a flood', async () => {
    const before = provider.keyRequests
    const verifier = newVerifier({ cooldownMs: 600_000 })
    for (let index = 0; index < 10; index += 1) {
      expect(await verifier.verify(await provider.sign(claims(), { kid: `unknown ${index}` }))).toBeNull()
    }
    expect(provider.keyRequests - before).toBe(1)
  })

  test('rotate: a new one is found, one that is withdrawn is accepted no more', async () => {
    const verifier = newVerifier()
    const old = await provider.token('ann', 'READ')
    expect(await verifier.verify(old)).not.toBeNull()
    await provider.rotate()
    expect(await verifier.verify(await provider.token('ann', 'READ'))).not.toBeNull()
    expect(await verifier.verify(old)).toBeNull()
  })

  test('are refreshed without any token asking for it', async () => {
    const verifier = newVerifier({ cooldownMs: 0, refreshMs: 20 })
    const old = await provider.token('ann', 'READ')
    expect(await verifier.verify(old)).not.toBeNull()
    await provider.rotate()
    await expect.poll(() => verifier.verify(old)).toBeNull()
  })

  test('that are known stay good while the provider is down', async () => {
    const verifier = newVerifier({ cooldownMs: 0, refreshMs: 20 })
    const token = await provider.token('ann', 'READ')
    expect(await verifier.verify(token)).not.toBeNull()
    const unknown = await provider.sign(claims(), { kid: 'unknown' })
    await provider.stop()
    try {
      expect(await verifier.verify(token)).not.toBeNull()
      await expect(verifier.verify(unknown)).rejects.toThrow(IdentityProviderDown)
      // A verifier without keys cannot decide.
      await expect(newVerifier().verify(token)).rejects.toThrow(IdentityProviderDown)
    } finally {
      await provider.resume()
    }
    expect(await verifier.verify(await provider.token('ann', 'READ'))).not.toBeNull()
  })

  test('of a provider that calls itself by another name are not taken', async () => {
    const config = { issuer: provider.issuer.replace('127.0.0.1', 'localhost'), audience: AUDIENCE }
    const verifier = new OidcVerifier(config, createLogger('silent'), { cooldownMs: 0 })
    opened.push(verifier)
    await expect(verifier.verify(await provider.sign({ ...claims(), iss: config.issuer }))).rejects.toThrow(
      IdentityProviderDown,
    )
  })
})
