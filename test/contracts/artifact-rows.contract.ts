import { randomUUID } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import type { ArtifactRecord } from '../../src/ports/artifacts/artifact.ts'
import type { Store } from '../../src/ports/store/store.ts'
import { consoleMessage, insertWith, sampleSession } from './store-samples.ts'

const HOUR_MS = 60 * 60 * 1000

function sampleArtifact(members: Partial<ArtifactRecord> = {}): ArtifactRecord {
  return {
    id: randomUUID(),
    sessionId: randomUUID(),
    owner: `owner-${randomUUID()}`,
    kind: 'SCREENSHOT',
    name: 'Bild 😀.png',
    contentType: 'image/png',
    sizeBytes: 100,
    sha256: 'ab'.repeat(32),
    pageId: 'p1',
    createdAt: 1_700_000_000_123,
    ...members,
  }
}

/** Part of the store contract: rows of artifacts. */
export function describeArtifactRows(open: () => Store): void {
  let store: Store
  beforeAll(() => {
    store = open()
  })

  describe('an artifact', () => {
    test('comes back as it was given, and is gone when it was deleted', async () => {
      for (const artifact of [sampleArtifact(), sampleArtifact({ sizeBytes: 5_000_000_000_000, pageId: null })]) {
        expect(await store.insertArtifact(artifact, Number.MAX_SAFE_INTEGER)).toBe(true)
        expect(await store.findArtifact(artifact.id)).toEqual(artifact)
        expect(await store.findArtifacts([randomUUID(), artifact.id])).toEqual([artifact])
        expect(await store.sumArtifactBytes(artifact.owner)).toBe(artifact.sizeBytes)
        expect(await store.deleteArtifact(artifact.id)).toBe(true)
        expect(await store.deleteArtifact(artifact.id)).toBe(false)
        expect(await store.findArtifact(artifact.id)).toBeNull()
        expect(await store.sumArtifactBytes(artifact.owner)).toBe(0)
      }
    })

    test('that is given twice is one, as when the first answer was lost', async () => {
      const artifact = sampleArtifact()
      expect(await store.insertArtifact(artifact, 150)).toBe(true)
      expect(await store.insertArtifact(artifact, 150)).toBe(true)
      expect(await store.sumArtifactBytes(artifact.owner)).toBe(100)
    })
  })

  describe('the quota', () => {
    test('is of one owner, to the byte', async () => {
      const owner = `owner-${randomUUID()}`
      expect(await store.insertArtifact(sampleArtifact({ owner, sizeBytes: 60 }), 100)).toBe(true)
      const tooMuch = sampleArtifact({ owner, sizeBytes: 41 })
      expect(await store.insertArtifact(tooMuch, 100)).toBe(false)
      expect(await store.findArtifact(tooMuch.id)).toBeNull()
      expect(await store.insertArtifact(sampleArtifact({ owner, sizeBytes: 40 }), 100)).toBe(true)
      expect(await store.insertArtifact(sampleArtifact({ owner, sizeBytes: 0 }), 100)).toBe(true)
      expect(await store.insertArtifact(sampleArtifact({ sizeBytes: 100 }), 100)).toBe(true)
    })

    test('holds when many are kept at once, beside everything else that the database is asked', async () => {
      const owner = `owner-${randomUUID()}`
      const keeping = Array.from({ length: 40 }, () => store.insertArtifact(sampleArtifact({ owner }), 1000))
      const others = Array.from({ length: 40 }, () => store.insertArtifact(sampleArtifact(), 1000))
      const reading = Array.from({ length: 40 }, () => store.sumArtifactBytes(owner))
      const kept = await Promise.all(keeping)
      expect(kept.filter(Boolean)).toHaveLength(10)
      expect((await Promise.all(others)).every(Boolean)).toBe(true)
      expect(Math.max(...(await Promise.all(reading)))).toBeLessThanOrEqual(1000)
      expect(await store.sumArtifactBytes(owner)).toBe(1000)
    })
  })

  test('those of a session are listed oldest first, of a kind or all, and counted', async () => {
    const sessionId = randomUUID()
    const made = [3, 1, 2, 2, 1].map((minute, index) =>
      sampleArtifact({
        sessionId,
        createdAt: 1_700_000_000_000 + minute * 60_000,
        kind: index % 2 === 0 ? 'PDF' : 'VIDEO',
      }),
    )
    for (const artifact of made) await store.insertArtifact(artifact, 1000)
    const inOrder = made.toSorted((one, other) => one.createdAt - other.createdAt || (one.id < other.id ? -1 : 1))
    const seen: ArtifactRecord[] = []
    for (let after: ArtifactRecord | null = null, more = true; more;) {
      const page: ArtifactRecord[] = await store.listArtifacts({ sessionId, kind: null, after, limit: 2 })
      seen.push(...page)
      after = page.at(-1) ?? null
      more = page.length === 2
    }
    expect(seen).toEqual(inOrder)
    const films = await store.listArtifacts({ sessionId, kind: 'VIDEO', after: null, limit: 10 })
    expect(films).toEqual(inOrder.filter(({ kind }) => kind === 'VIDEO'))
    expect(await store.countArtifacts(sessionId, null)).toBe(5)
    expect(await store.countArtifacts(sessionId, 'PDF')).toBe(3)
    expect(await store.countArtifacts(randomUUID(), null)).toBe(0)
  })

  test('the newest of a session, a kind and a name', async () => {
    const sessionId = randomUUID()
    const old = sampleArtifact({ sessionId, kind: 'UPLOAD', createdAt: 1_700_000_000_000 })
    const recent = { ...old, id: randomUUID(), createdAt: old.createdAt + 1 }
    for (const artifact of [recent, old, { ...recent, id: randomUUID(), kind: 'PDF' as const }]) {
      await store.insertArtifact(artifact, 1000)
    }
    await store.insertArtifact(sampleArtifact({ kind: 'UPLOAD', createdAt: recent.createdAt + 1 }), 1000)
    expect(await store.findNewestArtifact(sessionId, 'UPLOAD', old.name)).toEqual(recent)
    expect(await store.findNewestArtifact(sessionId, 'UPLOAD', `${old.name}x`)).toBeNull()
    expect(await store.findNewestArtifact(sessionId, 'TRACE', old.name)).toBeNull()
  })

  test('which of some ids have a row', async () => {
    const artifact = sampleArtifact()
    await store.insertArtifact(artifact, 1000)
    expect(await store.findArtifactIds([randomUUID(), artifact.id, randomUUID()])).toEqual([artifact.id])
    expect(await store.findArtifactIds([])).toEqual([])
  })

  describe('the claim of an upload', () => {
    const newClaim = (machineId = randomUUID()) => ({
      artifactId: randomUUID(),
      machineId,
      expiresAt: Date.now() + HOUR_MS,
    })

    test('is one server’s, whoever comes at once; the same server may come again', async () => {
      const claim = newClaim()
      const machines = Array.from({ length: 10 }, () => randomUUID())
      const outcomes = await Promise.all(machines.map((machineId) => store.claimUpload({ ...claim, machineId })))
      expect(outcomes.filter(Boolean)).toHaveLength(1)
      const again = await Promise.all(machines.map((machineId) => store.claimUpload({ ...claim, machineId })))
      expect(again).toEqual(outcomes)
      await store.releaseUpload(claim.artifactId)
      expect(await store.claimUpload(claim)).toBe(true)
    })

    test('is over once its artifact is there, and stays so once that has been deleted', async () => {
      const claim = newClaim()
      expect(await store.claimUpload(claim)).toBe(true)
      await store.insertArtifact(sampleArtifact({ id: claim.artifactId }), 1000)
      await store.releaseUpload(claim.artifactId)
      expect(await store.claimUpload(claim)).toBe(false)
      await store.deleteArtifact(claim.artifactId)
      expect(await store.claimUpload(claim)).toBe(false)
      expect(await store.claimUpload({ ...claim, machineId: randomUUID() })).toBe(false)
    })

    test('is deleted some time after its link has expired', async () => {
      const [old, young] = [{ ...newClaim(), expiresAt: Date.now() - 2 * HOUR_MS }, newClaim()]
      for (const claim of [old, young]) expect(await store.claimUpload(claim)).toBe(true)
      while (await store.deleteUploadClaims(Date.now() - HOUR_MS));
      expect(await store.claimUpload({ ...old, machineId: randomUUID() })).toBe(true)
      expect(await store.claimUpload({ ...young, machineId: randomUUID() })).toBe(false)
    })
  })

  test('hold back the deletion of their session, and are told to be due with it', async () => {
    const now = Date.now()
    const ended = { status: 'CLOSED', endReason: 'TERMINATED' } as const
    const old = sampleSession({ ...ended, endedAt: now - 2 * HOUR_MS })
    const young = sampleSession({ ...ended, endedAt: now })
    const live = sampleSession()
    for (const session of [old, young, live]) await store.insertSession(session, [])
    const [due, ...others] = [old, young, live].map(({ id }) => sampleArtifact({ sessionId: id }))
    for (const artifact of [due!, ...others]) await store.insertArtifact(artifact, 1000)
    const dueNow = await store.listArtifactsEndedBefore(now - HOUR_MS)
    expect(dueNow.map(({ id }) => id)).toContain(due!.id)
    for (const { id } of others) expect(dueNow.map((record) => record.id)).not.toContain(id)

    while (await store.deleteEndedBefore(now - HOUR_MS));
    expect(await store.findSession(old.id)).not.toBeNull()
    await store.deleteArtifact(due!.id)
    while (await store.deleteEndedBefore(now - HOUR_MS));
    expect(await store.findSession(old.id)).toBeNull()
    expect(await store.findSession(young.id)).not.toBeNull()
  })

  test('hold back the log and the bodies of their session, and no other sessions, however many have some', async () => {
    const now = Date.now()
    const endedSession = async (endedAt: number) => {
      const { session } = await insertWith(store, [consoleMessage('kept')])
      await store.patchSession(session.id, { status: 'CLOSED', endReason: 'TERMINATED', endedAt })
      return session
    }
    const held = []
    for (let count = 0; count < 110; count += 1) {
      const session = await endedSession(now - 3 * HOUR_MS)
      await store.insertArtifact(sampleArtifact({ sessionId: session.id, sizeBytes: 1 }), 1000)
      held.push(session)
    }
    const { owner, id } = held[0]!
    const body = { owner, sha256: 'a'.repeat(64), key: randomUUID(), seal: null, sizeBytes: 1, createdAt: now }
    await store.insertBody(id, body, 1000)
    const free = await endedSession(now - 2 * HOUR_MS)
    while (await store.deleteEndedBefore(now - HOUR_MS));
    expect(await store.findSession(free.id)).toBeNull()
    for (const one of held) expect(await store.findEntry(one.id, 1)).not.toBeNull()
    expect(await store.deleteUnusedBodies(now + HOUR_MS)).not.toContain(body.key)
  })
}
