import { randomUUID } from 'node:crypto'
import { expect, test, vi } from 'vitest'
import { Artifacts } from '../../src/domain/artifacts/artifacts.ts'
import { OperationArtifacts } from '../../src/domain/artifacts/operation-artifacts.ts'
import { createLogger } from '../../src/logger.ts'
import type { ArtifactRecord } from '../../src/ports/artifacts/artifact.ts'
import type { ArtifactStore } from '../../src/ports/artifacts/artifact-store.ts'
import type { Store } from '../../src/ports/store/store.ts'

test('the artifacts of a page of entries are found by a few queries, those of the caller alone', async () => {
  const kept = Array.from({ length: 1000 }, (_, index) => {
    const owner = index === 7 ? 'someone else' : 'ann'
    return { id: randomUUID(), owner } as Partial<ArtifactRecord> as ArtifactRecord
  })
  const byId = new Map(kept.map((record) => [record.id, record]))
  const findArtifacts = vi.fn(async (ids: readonly string[]) => ids.flatMap((id) => byId.get(id) ?? []))
  const store = { findArtifacts } as Partial<Store> as Store
  const artifacts = new Artifacts(store, {} as ArtifactStore, 1, createLogger('silent'))
  const operation = new OperationArtifacts(artifacts)
  const asked = [...kept.map(({ id }) => id), randomUUID()]
  const found = await Promise.all(asked.map((id) => operation.find('ann', id)))
  expect(found).toEqual([...kept.map((record) => (record.owner === 'ann' ? record : null)), null])
  expect(findArtifacts.mock.calls.length).toBeLessThan(5)
  for (const [ids] of findArtifacts.mock.calls) expect(ids.length).toBeLessThanOrEqual(500)

  // Not remembered: one that is deleted meanwhile is gone.
  byId.delete(kept[0]!.id)
  expect(await operation.find('ann', kept[0]!.id)).toBeNull()
})
