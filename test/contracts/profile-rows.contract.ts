import { randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { ProfileRecord } from '../../src/ports/sessions/profile.ts'
import type { Store } from '../../src/ports/store/store.ts'

const sampleProfile = (members: Partial<ProfileRecord> = {}): ProfileRecord => ({
  id: randomUUID(),
  owner: `owner-${randomUUID()}`,
  name: 'shop',
  sealed: Buffer.from([0, 1, 2, 255]),
  sizeBytes: 4,
  createdAt: 1_700_000_000_000,
  updatedAt: 1_700_000_000_000,
  ...members,
})

export function describeProfileRows(store: () => Store): void {
  describe('profiles', () => {
    test('are found as they were saved', async () => {
      const profile = sampleProfile()
      await store().saveProfile(profile)
      const found = await store().findProfile(profile.id)
      expect(found).toEqual({ ...profile, sealed: expect.anything() })
      expect(Buffer.from(found!.sealed)).toEqual(profile.sealed)
      expect(await store().findProfile(randomUUID())).toBeNull()
      const described = await store().describeProfile(profile.id)
      expect({ ...described, sealed: profile.sealed }).toEqual(profile)
      expect(described).not.toHaveProperty('sealed')
      expect(await store().describeProfile(randomUUID())).toBeNull()
    })

    test('of one name replace each other, within one owner', async () => {
      const first = sampleProfile()
      await store().saveProfile(first)
      const sealed = Buffer.from([7])
      const again = sampleProfile({
        owner: first.owner,
        sealed,
        sizeBytes: 1,
        createdAt: 5,
        updatedAt: 1_800_000_000_000,
      })
      const saved = await store().saveProfile(again)
      expect(saved).not.toHaveProperty('sealed')
      expect(saved).toMatchObject({ id: first.id, createdAt: first.createdAt, updatedAt: 1_800_000_000_000 })
      expect(Buffer.from((await store().findProfile(first.id))!.sealed)).toEqual(sealed)
      const others = await store().saveProfile(sampleProfile())
      expect(others.id).not.toBe(first.id)
    })

    test('are listed by name, without what they hold', async () => {
      const owner = `owner-${randomUUID()}`
      await store().saveProfile(sampleProfile({ owner, name: 'b' }))
      await store().saveProfile(sampleProfile({ owner, name: 'a' }))
      const listed = await store().listProfiles(owner)
      expect(listed.map(({ name }) => name)).toEqual(['a', 'b'])
      expect(listed.every((one) => !('sealed' in one))).toBe(true)
    })

    test('are deleted once', async () => {
      const profile = await store().saveProfile(sampleProfile())
      expect(await store().deleteProfile(profile.id)).toBe(true)
      expect(await store().deleteProfile(profile.id)).toBe(false)
      expect(await store().findProfile(profile.id)).toBeNull()
    })
  })
}
