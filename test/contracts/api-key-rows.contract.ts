import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { SIGN_IN_KEY_NAME } from '../../src/ports/access/api-key.ts'
import { SCOPES } from '../../src/ports/access/scope.ts'
import type { Store } from '../../src/ports/store/store.ts'
import { sampleApiKey } from './store-samples.ts'

/** Part of the store contract: API keys. */
export function describeApiKeyRows(store: () => Store): void {
  test('keeps API keys', async () => {
    const key = sampleApiKey({ expiresAt: 1_700_000_000_000, lastUsedAt: 1_600_000_000_000 })
    const second = sampleApiKey({ owner: key.owner, createdAt: key.createdAt + 1, scopes: ['ADMIN', 'CONNECT'] })
    const foreign = sampleApiKey({ name: SIGN_IN_KEY_NAME, expiresAt: 1000 })
    for (const record of [second, key, foreign]) expect(await store().insertApiKey(record)).toBe(true)
    expect(await store().insertApiKey(sampleApiKey({ id: key.id }))).toBe(false)
    await expect(store().insertApiKey(sampleApiKey({ secretHash: key.secretHash }))).rejects.toThrow()

    expect(await store().findApiKeyByHash(key.secretHash)).toEqual(key)
    expect(await store().findApiKeyByHash('unknown')).toBeNull()
    expect(await store().findApiKey(second.id)).toEqual(second)
    expect(await store().findApiKey(randomUUID())).toBeNull()
    const found = await store().findApiKeys([second.id, randomUUID(), key.id])
    expect(found.toSorted((one, other) => one.createdAt - other.createdAt)).toEqual([key, second])
    expect(await store().findApiKeys([])).toEqual([])
    expect(await store().listApiKeys(key.owner)).toEqual([key, second])
    expect(await store().listApiKeys(null)).toEqual(expect.arrayContaining([key, second, foreign]))

    await store().touchApiKey(key.id, 1_700_000_000_500)
    expect(await store().revokeApiKey(key.id, 1_700_000_000_600)).toMatchObject({ revokedAt: 1_700_000_000_600 })
    expect(await store().revokeApiKey(key.id, 1_700_000_000_700)).toMatchObject({ revokedAt: 1_700_000_000_600 })
    expect(await store().findApiKey(key.id)).toMatchObject({ lastUsedAt: 1_700_000_000_500 })
    expect(await store().revokeApiKey(randomUUID(), 1)).toBeNull()

    await store().setApiKeyScopes(second.id, SCOPES)
    expect(await store().findApiKey(second.id)).toEqual({ ...second, scopes: SCOPES })
    expect((await store().findApiKey(key.id))?.scopes).toEqual(key.scopes)

    await store().deleteExpiredApiKeys(999)
    expect(await store().findApiKey(foreign.id)).toEqual(foreign)
    await store().deleteExpiredApiKeys(Date.now())
    expect(await store().findApiKey(foreign.id)).toBeNull()
    expect(await store().findApiKey(key.id)).not.toBeNull()
  })
}
