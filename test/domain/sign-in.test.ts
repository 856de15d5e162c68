import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { ApiKeys } from '../../src/domain/keys/api-keys.ts'
import { SignIn } from '../../src/domain/keys/sign-in.ts'
import { createLogger } from '../../src/logger.ts'
import { SCOPES } from '../../src/ports/scope.ts'
import { store, useStore } from '../support/session-log.ts'

useStore()

const MINUTE_MS = 60_000
const START = Date.UTC(2026, 10, 25, 12)

const newSignIn = () => new SignIn(new ApiKeys(store, createLogger('silent')))

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
