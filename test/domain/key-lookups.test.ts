import { describe, expect, test } from 'vitest'
import { KEY_LOOKUP_LIMITS, KeyLookups, type KeyLookupLimits } from '../../src/domain/keys/key-lookups.ts'
import type { ApiKeyRecord } from '../../src/ports/access/api-key.ts'

const HERE = '192.0.2.1'
const THERE = '192.0.2.2'
/** None comes back while a test runs. */
const SLOW = { burst: 3, perSecond: 0.001 }

function lookups(limits: Partial<KeyLookupLimits> = {}) {
  const state = { queries: 0, fails: false, right: new Set(['right']) }
  const find = async (hash: string) => {
    state.queries += 1
    if (state.fails) throw new Error('the store is away')
    return state.right.has(hash) ? ({ id: hash } as ApiKeyRecord) : null
  }
  const isValid = ({ id }: ApiKeyRecord) => id !== 'revoked'
  return { state, keys: new KeyLookups(find, isValid, { ...KEY_LOOKUP_LIMITS, ...limits }) }
}

const refused = { code: 'RATE_LIMITED', retryAfterSeconds: expect.any(Number) }

describe('wrong keys', () => {
  test.each(['wrong', 'revoked'])('one that is sent for ever costs one query: %s', async (hash) => {
    const { keys, state } = lookups()
    state.right.add('revoked')
    for (let times = 0; times < 100; times += 1) expect(await keys.find(hash, HERE)).toBeNull()
    expect(state.queries).toBe(1)
  })

  test('one that is sent many times at once costs one query', async () => {
    const { keys, state } = lookups()
    await Promise.all(Array.from({ length: 100 }, () => keys.find('wrong', HERE)))
    expect(state.queries).toBe(1)
  })

  test('one that is created afterwards works once it is forgotten', async () => {
    const { keys, state } = lookups({ rememberWrongMs: 20 })
    expect(await keys.find('later', HERE)).toBeNull()
    state.right.add('later')
    await expect.poll(() => keys.find('later', HERE)).toMatchObject({ id: 'later' })
  })

  test('different ones cost what their address may cause, and no other address pays', async () => {
    const { keys, state } = lookups({ perAddress: SLOW })
    const outcomes = await Promise.allSettled(Array.from({ length: 50 }, (_, index) => keys.find(`${index}`, HERE)))
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(3)
    expect(state.queries).toBe(3)
    await expect(keys.find('another', HERE)).rejects.toMatchObject(refused)
    expect(await keys.find('another', THERE)).toBeNull()
  })

  test('different ones of many addresses cost what all may cause', async () => {
    const { keys, state } = lookups({ inAll: SLOW })
    const tries = Array.from({ length: 50 }, (_, index) => keys.find(`${index}`, `192.0.2.${index}`))
    await Promise.allSettled(tries)
    expect(state.queries).toBe(3)
    await expect(keys.find('another', THERE)).rejects.toMatchObject(refused)
  })

  test('come back at an even rate', async () => {
    const { keys } = lookups({ perAddress: { burst: 1, perSecond: 20 } })
    await keys.find('one', HERE)
    await expect(keys.find('two', HERE)).rejects.toMatchObject(refused)
    await expect.poll(() => keys.find('two', HERE).catch(() => 'refused'), { interval: 20 }).toBeNull()
  })
})

describe('right keys', () => {
  test('cost nothing, however many come from one address', async () => {
    const { keys, state } = lookups({ perAddress: SLOW })
    for (let index = 0; index < 20; index += 1) {
      state.right.add(`right ${index}`)
      expect(await keys.find(`right ${index}`, HERE)).not.toBeNull()
    }
  })

  test('that were seen before are looked up although their address has used up what it may', async () => {
    const { keys } = lookups({ perAddress: SLOW, inAll: SLOW })
    await keys.find('right', HERE)
    await Promise.allSettled(Array.from({ length: 50 }, (_, index) => keys.find(`${index}`, HERE)))
    await expect(keys.find('another', HERE)).rejects.toMatchObject(refused)
    expect(await keys.find('right', HERE)).toMatchObject({ id: 'right' })
  })

  test('that were just created are looked up, too, even if they had been tried before', async () => {
    const { keys, state } = lookups({ perAddress: SLOW })
    await Promise.allSettled(Array.from({ length: 50 }, (_, index) => keys.find(`${index}`, HERE)))
    state.right.add('1')
    keys.expect('1')
    expect(await keys.find('1', HERE)).toMatchObject({ id: '1' })
  })
})

test('a store that is away makes no key wrong and costs no allowance', async () => {
  const { keys, state } = lookups({ perAddress: SLOW, inAll: SLOW })
  state.fails = true
  for (let times = 0; times < 10; times += 1) {
    await expect(keys.find('right', HERE)).rejects.toThrow('the store is away')
  }
  state.fails = false
  expect(await keys.find('right', HERE)).not.toBeNull()
})
