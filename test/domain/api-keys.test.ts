import { randomUUID } from 'node:crypto'
import { describe, expect, test, vi } from 'vitest'
import { ApiKeys } from '../../src/domain/api-keys.ts'
import type { Principal } from '../../src/domain/principal.ts'
import { createLogger } from '../../src/logger.ts'
import { SCOPES } from '../../src/ports/store.ts'
import { store, useStore } from '../support/session-log.ts'

useStore()

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
    const [toldOne, toldOther] = [vi.fn(), vi.fn()]
    const disposers = [
      keys.onInvalid((await keys.authenticate(one.secret))!, toldOne),
      keys.onInvalid((await keys.authenticate(other.secret))!, toldOther),
    ]
    await keys.revoke(admin, one.record.id)
    expect(toldOne).toHaveBeenCalledOnce()
    expect(toldOther).not.toHaveBeenCalled()
    expect(await keys.authenticate(one.secret)).toBeNull()
    expect(await keys.authenticate(other.secret)).not.toBeNull()
    for (const dispose of disposers) dispose()
  })

  test('an expired key is refused, and its users are told when it expires', async () => {
    const keys = newKeys()
    const expiresAt = new Date(Date.now() + 300)
    const { secret } = await keys.createFor('ann', { name: 'short', scopes: ['READ'], expiresAt })
    const told = vi.fn()
    const dispose = keys.onInvalid((await keys.authenticate(secret))!, told)
    await expect.poll(() => told).toHaveBeenCalledOnce()
    expect(await keys.authenticate(secret)).toBeNull()
    dispose()
  })
})
