import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { ApiKeys } from '../../src/domain/keys/api-keys.ts'
import { SignIn } from '../../src/domain/keys/sign-in.ts'
import { createLogger } from '../../src/logger.ts'
import { SCOPES } from '../../src/ports/access/scope.ts'
import { store, useStore } from '../support/session-log.ts'

useStore()

const MINUTE_MS = 60_000
const START = Date.UTC(2026, 10, 25, 12)

const SECRETS = ['a-secret-of-a-test-of-signing-in']

const newSignIn = (secrets = SECRETS) => new SignIn(new ApiKeys(store, createLogger('silent')), () => secrets)

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: START })
})
afterEach(() => {
  vi.useRealTimers()
})

test('a code works for ten minutes, not longer', async () => {
  const signIn = newSignIn()
  const [inTime, late] = [signIn.issueCode('ann'), signIn.issueCode('ann')]
  vi.setSystemTime(START + 10 * MINUTE_MS - 1)
  expect(await signIn.exchange(inTime)).not.toBeNull()
  vi.setSystemTime(START + 10 * MINUTE_MS)
  expect(await signIn.exchange(late)).toBeNull()
})

test('a code works once, and what is none never', async () => {
  const signIn = newSignIn()
  const code = signIn.issueCode('ann')
  const outcomes = [await signIn.exchange(code), await signIn.exchange(code), await signIn.exchange('nonsense')]
  expect(outcomes.map((outcome) => outcome !== null)).toEqual([true, false, false])
})

test('one server exchanges what another has issued, of several that do so at once one', async () => {
  const [issuing, ...others] = [newSignIn(), newSignIn(['a-newer-secret-of-this-test-here', ...SECRETS]), newSignIn()]
  const code = issuing.issueCode('ann')
  const outcomes = await Promise.all([...others, issuing].map((signIn) => signIn.exchange(code)))
  expect(outcomes.filter((outcome) => outcome !== null)).toHaveLength(1)
})

test('a code with another signature, or another spelling of the same, is none', async () => {
  const signIn = newSignIn()
  const code = signIn.issueCode('ann')
  const foreign = newSignIn(['a-secret-of-somebody-who-is-not-us']).issueCode('ann')
  const [written, signature] = code.split('.') as [string, string]
  const wrong = [foreign, `${written}.${signature}=`, `${code}.`, `${written}`, `.${signature}`, '.', '']
  for (const one of wrong) expect(await signIn.exchange(one)).toBeNull()
  expect(await signIn.exchange(code)).not.toBeNull()
})

test('its key is the owner’s, with every scope, for twelve hours from the exchange', async () => {
  const signIn = newSignIn()
  const code = signIn.issueCode('ann')
  vi.setSystemTime(START + MINUTE_MS)
  const { secret, expiresAt } = (await signIn.exchange(code))!
  expect(expiresAt.getTime()).toBe(START + MINUTE_MS + 12 * 60 * MINUTE_MS)
  const principal = await new ApiKeys(store, createLogger('silent')).authenticate(secret)
  expect(principal).toMatchObject({ owner: 'ann', expiresAt: expiresAt.getTime() })
  expect([...principal!.scopes]).toEqual(SCOPES)
})
