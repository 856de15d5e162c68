import { randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { ProfileCipher } from '../../src/domain/profiles/profile-cipher.ts'
import { PROFILE_LIMITS, Profiles } from '../../src/domain/profiles/profiles.ts'
import { store, useStore } from '../support/session-log.ts'

useStore()

const newProfiles = (secret = 'a secret of at least thirty-two characters') =>
  new Profiles(store, new ProfileCipher([secret]))
const STATE = { cookies: [{ name: 'session', value: 'correct-horse' }], origins: [] }

describe('what a profile holds', () => {
  test('comes back as it was, and cannot be read in the database', async () => {
    const owner = randomUUID()
    const { id } = await newProfiles().save(owner, 'shop', STATE)
    expect((await newProfiles().open(owner, id)).state).toEqual(STATE)
    const row = await store.findProfile(id)
    expect(Buffer.from(row!.sealed).includes('correct-horse')).toBe(false)
    expect(Buffer.from(row!.sealed).includes('session')).toBe(false)
  })

  test('is told to be unreadable with another key, and stays as it is', async () => {
    const owner = randomUUID()
    const { id } = await newProfiles().save(owner, 'shop', STATE)
    const elsewhere = newProfiles('another secret of at least thirty-two characters')
    await expect(elsewhere.open(owner, id)).rejects.toMatchObject({ code: 'PROFILE_UNREADABLE' })
    expect((await newProfiles().open(owner, id)).state).toEqual(STATE)
  })

  test('of another owner is none, whatever one does with its id', async () => {
    const { id } = await newProfiles().save(randomUUID(), 'shop', STATE)
    const other = randomUUID()
    await expect(newProfiles().open(other, id)).rejects.toMatchObject({ code: 'BAD_USER_INPUT' })
    await expect(newProfiles().delete(other, id)).rejects.toMatchObject({ code: 'NOT_FOUND' })
    expect(await newProfiles().find(other, id)).toBeNull()
  })
})

describe('the limits', () => {
  test('of bytes: nothing is kept of what is larger', async () => {
    const owner = randomUUID()
    const large = { cookies: [], origins: ['x'.repeat(PROFILE_LIMITS.bytes)] }
    await expect(newProfiles().save(owner, 'large', large)).rejects.toMatchObject({
      code: 'BAD_USER_INPUT',
      extensions: { issues: [{ path: ['sessionId'], code: 'TOO_LONG' }] },
    })
    expect(await newProfiles().list(owner)).toEqual([])
  })

  test('of number: one more is refused, one of a name that is there replaces it', async () => {
    const owner = randomUUID()
    const profiles = newProfiles()
    const row = { owner, sealed: Buffer.from('x'), sizeBytes: 1, createdAt: 1, updatedAt: 1 }
    const names = Array.from({ length: PROFILE_LIMITS.perOwner }, (_, index) => `p${index}`)
    await Promise.all(names.map((name) => store.saveProfile({ ...row, id: randomUUID(), name })))
    await expect(profiles.save(owner, 'one more', STATE)).rejects.toMatchObject({
      extensions: { issues: [{ path: ['name'], code: 'TOO_MANY' }] },
    })
    const [first] = await profiles.list(owner)
    const again = await profiles.save(owner, first!.name, { cookies: [], origins: [] })
    expect(again.id).toBe(first!.id)
    expect(await profiles.list(owner)).toHaveLength(PROFILE_LIMITS.perOwner)
  })
})
