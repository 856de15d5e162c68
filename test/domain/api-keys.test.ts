import { randomUUID } from 'node:crypto'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { ApiKeys, hashSecret } from '../../src/domain/keys/api-keys.ts'
import type { Principal } from '../../src/domain/kernel/principal.ts'
import { createLogger } from '../../src/logger.ts'
import { SCOPES } from '../../src/ports/access/scope.ts'
import type { Store } from '../../src/ports/store/store.ts'
import { sampleApiKey } from '../contracts/store-samples.ts'
import { store, useStore } from '../support/session-log.ts'

useStore()
afterEach(() => vi.useRealTimers())

const newKeys = () => new ApiKeys(store, createLogger('silent'))
const newSecret = () => `tw_${randomUUID()}${randomUUID()}`
const admin: Principal = {
  owner: 'admin',
  actor: 'key:test',
  scopes: new Set(SCOPES),
  apiKeyId: randomUUID(),
  expiresAt: null,
  sessionId: null,
}

describe('the first admin key', () => {
  test('is valid after every start, and the one before it no more', async () => {
    const [machineId, first, second] = [randomUUID(), newSecret(), newSecret()]
    const keys = newKeys()
    expect(await keys.ensureFirstKey(machineId, first)).toBe(true)
    expect(await keys.ensureFirstKey(machineId, first)).toBe(true)
    expect(await newKeys().authenticate(first)).toMatchObject({ owner: 'admin' })
    expect(await keys.ensureFirstKey(machineId, second)).toBe(true)
    expect(await newKeys().authenticate(first)).toBeNull()
    expect(await newKeys().authenticate(second)).toMatchObject({ owner: 'admin' })
  })

  test('that was revoked is not brought back by a start', async () => {
    const [machineId, secret] = [randomUUID(), newSecret()]
    const keys = newKeys()
    await keys.ensureFirstKey(machineId, secret)
    const { apiKeyId } = (await keys.authenticate(secret))!
    await keys.revoke(admin, apiKeyId)
    expect(await keys.ensureFirstKey(machineId, secret)).toBe(false)
    expect(await newKeys().authenticate(secret)).toBeNull()
  })

  test('of one machine does not touch that of another on the same database', async () => {
    const [one, other] = [newSecret(), newSecret()]
    const keys = newKeys()
    await keys.ensureFirstKey(randomUUID(), one)
    await keys.ensureFirstKey(randomUUID(), other)
    expect(await newKeys().authenticate(one)).not.toBeNull()
  })
})

describe('the first admin key of an older version', () => {
  const OLD_SCOPES = ['READ', 'WRITE', 'CONNECT', 'ADMIN'] as const

  test('gains the scopes that it has not known', async () => {
    const [machineId, secret] = [randomUUID(), newSecret()]
    const name = `First admin key of ${machineId}`
    const old = sampleApiKey({ owner: 'admin', name, secretHash: hashSecret(secret), scopes: [...OLD_SCOPES] })
    await store.insertApiKey(old)
    expect(await newKeys().ensureFirstKey(machineId, secret)).toBe(true)
    expect(await store.findApiKey(old.id)).toEqual({ ...old, scopes: SCOPES })
  })

  test('is not any key that the server is given as its admin key', async () => {
    const secret = newSecret()
    const limited = sampleApiKey({ owner: 'admin', name: 'ci', secretHash: hashSecret(secret), scopes: ['READ'] })
    await store.insertApiKey(limited)
    expect(await newKeys().ensureFirstKey(randomUUID(), secret)).toBe(true)
    expect(await store.findApiKey(limited.id)).toEqual(limited)
  })
})

describe('keys', () => {
  test('nobody gives away what the own key lacks, or to another owner without ADMIN', async () => {
    const keys = newKeys()
    const writer: Principal = {
      owner: 'ann',
      actor: 'key:test',
      scopes: new Set(['READ', 'WRITE']),
      apiKeyId: '',
      expiresAt: null,
      sessionId: null,
    }
    await expect(keys.create(writer, { name: 'x', scopes: ['ADMIN'] })).rejects.toMatchObject({ code: 'FORBIDDEN' })
    await expect(keys.create(writer, { name: 'x', scopes: ['READ'], owner: 'bob' })).rejects.toMatchObject({
      code: 'FORBIDDEN',
    })
    const { record, secret } = await keys.create(writer, { name: 'x', scopes: ['WRITE', 'READ'] })
    expect(record).toMatchObject({ owner: 'ann', scopes: ['READ', 'WRITE'] })
    expect(JSON.stringify(await store.findApiKey(record.id))).not.toContain(secret)
  })

  test('every broken rule is told at once', async () => {
    const input = { name: '', scopes: [], owner: 'no spaces', expiresAt: new Date(0) }
    const issues = {
      issues: [
        { path: ['input', 'name'] },
        { path: ['input', 'owner'] },
        { path: ['input', 'scopes'] },
        { path: ['input', 'expiresAt'] },
      ],
    }
    await expect(newKeys().create(admin, input)).rejects.toMatchObject({ code: 'BAD_USER_INPUT', extensions: issues })
  })

  test('a revoked key is refused at once, its users are told once, and those of others are not', async () => {
    const keys = newKeys()
    const [one, other] = [
      await keys.createFor('ann', { name: 'one', scopes: ['READ'] }),
      await keys.createFor('ann', { name: 'other', scopes: ['READ'] }),
    ]
    const [reportedOne, reportedOther] = [vi.fn(), vi.fn()]
    const disposers = [
      keys.onInvalid((await keys.authenticate(one.secret))!, reportedOne),
      keys.onInvalid((await keys.authenticate(other.secret))!, reportedOther),
    ]
    await keys.revoke(admin, one.record.id)
    expect(reportedOne).toHaveBeenCalledOnce()
    expect(reportedOther).not.toHaveBeenCalled()
    expect(await keys.authenticate(one.secret)).toBeNull()
    expect(await keys.authenticate(other.secret)).not.toBeNull()
    for (const dispose of disposers) dispose()
  })

  test('an expired key is refused, and its users are told when it expires', async () => {
    vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout'] })
    const keys = newKeys()
    const expiresAt = new Date(Date.now() + 60_000)
    const { secret } = await keys.createFor('ann', { name: 'short', scopes: ['READ'], expiresAt })
    const reported = vi.fn()
    const dispose = keys.onInvalid((await keys.authenticate(secret))!, reported)
    vi.advanceTimersByTime(59_999)
    expect(reported).not.toHaveBeenCalled()
    expect(await keys.authenticate(secret)).not.toBeNull()
    vi.advanceTimersByTime(1)
    expect(reported).toHaveBeenCalledOnce()
    expect(await keys.authenticate(secret)).toBeNull()
    dispose()
  })
})

describe('a key that expires', () => {
  const expiresAt = Date.now() + 3_600_000
  const short: Principal = { ...admin, expiresAt }
  const input = { name: 'x', scopes: ['READ'] } as const

  test('makes keys that expire with it, or before, for other owners too', async () => {
    const keys = newKeys()
    for (const owner of ['admin', 'bob']) {
      expect((await keys.create(short, { ...input, owner })).record.expiresAt).toBe(expiresAt)
      expect((await keys.create(short, { ...input, owner, expiresAt: null })).record.expiresAt).toBe(expiresAt)
    }
    const earlier = new Date(expiresAt - 1)
    expect((await keys.create(short, { ...input, expiresAt: earlier })).record.expiresAt).toBe(earlier.getTime())
  })

  test('makes none that outlives it', async () => {
    const later = { ...input, name: '', expiresAt: new Date(expiresAt + 1) }
    const issues = [{ path: ['input', 'name'] }, { path: ['input', 'expiresAt'], code: 'OUT_OF_RANGE' }]
    await expect(newKeys().create(short, later)).rejects.toMatchObject({ code: 'BAD_USER_INPUT', issues })
  })
})

describe('a revocation', () => {
  test('made on another server is noticed within seconds: by who uses the key, and by who comes with it', async () => {
    vi.useFakeTimers({ toFake: ['Date', 'setInterval', 'clearInterval'] })
    const [here, there] = [newKeys(), newKeys()]
    const create = () => here.createFor('ann', { name: 'x', scopes: ['READ'] })
    const [revoked, kept] = [await create(), await create()]
    const [reportedRevoked, reportedKept] = [vi.fn(), vi.fn()]
    const disposers = [
      here.onInvalid((await here.authenticate(revoked.secret))!, reportedRevoked),
      here.onInvalid((await here.authenticate(kept.secret))!, reportedKept),
    ]
    await there.revoke(admin, revoked.record.id)
    await vi.advanceTimersByTimeAsync(10_000)
    await expect.poll(() => reportedRevoked).toHaveBeenCalledOnce()
    expect(await here.authenticate(revoked.secret)).toBeNull()
    expect(await here.authenticate(kept.secret)).not.toBeNull()
    expect(reportedKept).not.toHaveBeenCalled()
    for (const dispose of disposers) dispose()
  })

  test('is not undone by what was read before it', async () => {
    const reading = Promise.withResolvers<void>()
    const answer = Promise.withResolvers<void>()
    const slowStore: Store = {
      ...store,
      async findApiKeyByHash(hash) {
        const record = await store.findApiKeyByHash(hash)
        reading.resolve()
        await answer.promise
        return record
      },
    }
    const keys = new ApiKeys(slowStore, createLogger('silent'))
    const { record, secret } = await keys.createFor('ann', { name: 'x', scopes: ['READ'] })
    const authenticating = keys.authenticate(secret)
    await reading.promise
    await keys.revoke(admin, record.id)
    answer.resolve()
    await authenticating
    expect(await keys.authenticate(secret)).toBeNull()
  })
})
