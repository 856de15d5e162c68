import { createHash, randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { BodyData } from '../../src/contract/entries/body.ts'
import type { StoredBody } from '../../src/ports/log/body.ts'
import type { ForgottenTo, Store } from '../../src/ports/store/store.ts'
import { insertWith, networkRequest, numbered, readAll, sampleSession, statusChange } from './store-samples.ts'

const QUOTA = 1_000_000
/** Later than all bodies of these tests, and earlier than other tests' current times. */
const AT = 1_600_000_000_000
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

const sampleBody = (members: Partial<StoredBody> = {}): StoredBody => ({
  owner: `owner-${randomUUID()}`,
  sha256: sha256(randomUUID()),
  key: `bodies/${randomUUID()}/${randomUUID()}`,
  seal: null,
  sizeBytes: 20_000,
  createdAt: AT,
  ...members,
})

const named = ({ sha256: hash, sizeBytes }: StoredBody): BodyData => ({
  contentType: 'text/plain',
  sizeBytes,
  truncated: 0,
  encoding: 'UTF8',
  inline: null,
  sha256: hash,
})

/** Part of the store contract: rows of bodies. */
export function describeBodyRows(store: () => Store): void {
  /** Deletes all unused bodies, including those of other tests. */
  const deleteUnused = async (since: number) => {
    const keys: string[] = []
    for (;;) {
      const some = await store().deleteUnusedBodies(since)
      if (some.length === 0) return keys
      keys.push(...some)
    }
  }
  const forgetAll = async (endedBefore: number) => {
    let next: ForgottenTo | null = null
    let steps = 0
    do {
      next = await store().forgetBodies(endedBefore, next)
      steps += 1
    } while (next !== null)
    return steps
  }
  const sessionOf = async ({ owner }: StoredBody, members = {}) => {
    const session = sampleSession({ owner, ...members })
    await store().insertSession(session, numbered([statusChange]))
    return session.id
  }

  describe('bodies', () => {
    test('are found by their hash by their owner alone, and kept once when that is repeated', async () => {
      const body = sampleBody({ seal: '01234567', sizeBytes: 3_000_000_000 })
      const sessionId = await sessionOf(body)
      const quota = 4_000_000_000
      expect(await store().insertBody(sessionId, body, quota)).toBe('KEPT')
      expect(await store().insertBody(sessionId, body, quota)).toBe('KEPT')
      const other = sampleBody({ owner: body.owner })
      expect(await store().findBodies(body.owner, [body.sha256, other.sha256])).toEqual([body])
      expect(await store().findBodies('someone else', [body.sha256])).toEqual([])
      expect(await store().findBodies(body.owner, [])).toEqual([])
      expect(await store().sumBodyBytes(body.owner)).toBe(body.sizeBytes)
      expect(await store().sumBodyBytes('nobody')).toBe(0)
      expect(await store().findBodyKeys([body.key, other.key])).toEqual([body.key])
    })

    test('that are the same are one, whoever comes second', async () => {
      const body = sampleBody()
      const [one, two] = [await sessionOf(body), await sessionOf(body)]
      expect(await store().referToBody(one, body, AT)).toBe(false)
      const again = { ...body, key: `${body.key}-again` }
      const outcomes = await Promise.all([store().insertBody(one, body, QUOTA), store().insertBody(two, again, QUOTA)])
      expect(outcomes.toSorted()).toEqual(['KEPT', 'KNOWN'])
      expect(await store().referToBody(two, body, AT)).toBe(true)
      expect(await store().sumBodyBytes(body.owner)).toBe(body.sizeBytes)
      expect(await store().findBodyKeys([body.key, again.key])).toHaveLength(1)
    })

    test('are stored anew where they were sealed with another key', async () => {
      const body = sampleBody({ seal: '00000000' })
      const sessionId = await sessionOf(body)
      await store().insertBody(sessionId, body, QUOTA)
      const now = { ...body, key: `${body.key}-now`, seal: '11111111' }
      expect(await store().referToBody(sessionId, now, AT)).toBe(false)
      expect(await store().insertBody(sessionId, now, QUOTA)).toBe('KEPT')
      expect(await store().findBodies(body.owner, [body.sha256])).toEqual([{ ...now, createdAt: body.createdAt }])
      expect(await store().findBodyKeys([body.key])).toEqual([])
      expect(await store().sumBodyBytes(body.owner)).toBe(body.sizeBytes)
    })

    test('count in the quota of their owner, with artifacts, also when several are kept at once', async () => {
      const body = sampleBody({ sizeBytes: 400_000 })
      const { owner } = body
      const sessionId = await sessionOf(body)
      const others = Array.from({ length: 4 }, () => sampleBody({ owner, sizeBytes: 400_000 }))
      const outcomes = await Promise.all(others.map((one) => store().insertBody(sessionId, one, QUOTA)))
      expect(outcomes.toSorted()).toEqual(['KEPT', 'KEPT', 'OVER_QUOTA', 'OVER_QUOTA'])
      expect(await store().sumBodyBytes(owner)).toBe(800_000)
      const artifact = {
        id: randomUUID(),
        sessionId,
        owner,
        kind: 'PDF',
        name: 'page.pdf',
        contentType: 'application/pdf',
        sizeBytes: 200_001,
        sha256: sha256('pdf'),
        pageId: null,
        createdAt: AT,
      } as const
      expect(await store().insertArtifact(artifact, QUOTA)).toBe(false)
      expect(await store().insertArtifact({ ...artifact, sizeBytes: 200_000 }, QUOTA)).toBe(true)
      expect(await store().sumArtifactBytes(owner)).toBe(200_000)
      expect(await store().insertBody(sessionId, sampleBody({ owner, sizeBytes: 1 }), QUOTA)).toBe('OVER_QUOTA')
    })

    test('stay while a session refers to them, and for a while after its deletion', async () => {
      const body = sampleBody()
      const unused = sampleBody({ owner: body.owner })
      const endedAt = AT + 1
      const [one, two] = [await sessionOf(body), await sessionOf(body)]
      await store().insertBody(one, body, QUOTA)
      await store().referToBody(two, body, AT + 5)
      await store().insertBody(two, unused, QUOTA)
      for (const id of [one, two])
        await store().patchSession(id, { status: 'CLOSED', endReason: 'TERMINATED', endedAt })
      expect(await deleteUnused(AT + 100)).not.toContain(body.key)
      while (await store().deleteEndedBefore(endedAt + 1)) continue
      expect(await store().findSession(one)).toBeNull()
      expect(await store().findSession(two)).toBeNull()
      expect(await deleteUnused(AT + 5)).not.toContain(body.key)
      expect(await deleteUnused(AT + 6)).toContain(body.key)
      expect(await store().findBodies(body.owner, [body.sha256, unused.sha256])).toEqual([])
      expect(await store().sumBodyBytes(body.owner)).toBe(0)
    })

    test('are never deleted by one server while another begins to use them', async () => {
      const owner = `owner-${randomUUID()}`
      const bodies = Array.from({ length: 60 }, () => sampleBody({ owner }))
      const before = await sessionOf(bodies[0]!)
      for (const body of bodies) await store().insertBody(before, body, QUOTA * 10)
      await store().patchSession(before, { status: 'CLOSED', endReason: 'TERMINATED', endedAt: AT })
      while (await store().deleteEndedBefore(AT + 1)) continue
      const after = await sessionOf(bodies[0]!)
      const now = AT + 1_000
      const referring = Promise.all(bodies.map((body) => store().referToBody(after, body, now)))
      const deleting = Promise.all([deleteUnused(now), deleteUnused(now), deleteUnused(now)])
      const [referred, deleted] = [await referring, (await deleting).flat()]
      expect(new Set(deleted).size).toBe(deleted.length)
      const left = await store().findBodies(
        owner,
        bodies.map((body) => body.sha256),
      )
      for (const [index, body] of bodies.entries()) {
        // Either the caller learned that there is none, or it exists.
        expect(left.some(({ key }) => key === body.key)).toBe(referred[index])
        expect(deleted.includes(body.key)).toBe(!referred[index])
      }
    })

    test('are taken out of the logs of sessions that ended before a time, and what else these say stays', async () => {
      const body = sampleBody()
      const inline = { ...named(body), inline: 'small', sha256: null }
      const drafts = Array.from({ length: 450 }, (_, index) =>
        networkRequest(index + 1, {
          requestBody: index % 3 === 0 ? inline : null,
          requestBodyOmitted: null,
          responseBody: index % 2 === 0 ? named(body) : null,
          responseBodyOmitted: index % 2 === 0 ? null : ('TOO_LARGE' as const),
        }),
      )
      const { owner } = body
      const {
        session: { id: old },
      } = await insertWith(store(), drafts, { owner })
      const {
        session: { id: young },
      } = await insertWith(store(), drafts, { owner })
      for (const [id, endedAt] of [
        [old, AT - 10],
        [young, AT + 10],
      ] as const) {
        await store().insertBody(id, body, QUOTA)
        await store().patchSession(id, { status: 'CLOSED', endReason: 'TERMINATED', endedAt })
      }
      const before = await readAll(store(), old, { kinds: null })
      expect(await forgetAll(AT)).toBeGreaterThan(3)
      const after = await readAll(store(), old, { kinds: null })
      const expected = before.map((entry) => {
        if (entry.kind !== 'NETWORK_REQUEST') return entry
        const { requestBody, responseBody } = entry.data
        const data = {
          ...entry.data,
          ...(requestBody ? { requestBody: null, requestBodyOmitted: 'EXPIRED' } : {}),
          ...(responseBody ? { responseBody: null, responseBodyOmitted: 'EXPIRED' } : {}),
        }
        return { ...entry, data }
      })
      expect(after).toEqual(expected)
      expect(after).not.toEqual(before)
      expect(await readAll(store(), young, { kinds: null })).toEqual(before)
      expect(await forgetAll(AT)).toBe(1)
      // The newer one still refers to it.
      expect(await deleteUnused(AT + 100)).not.toContain(body.key)
      await forgetAll(AT + 11)
      expect(await deleteUnused(AT + 100)).toContain(body.key)
    })

    test('of owners that never stored anything are nobody’s', async () => {
      const body = sampleBody()
      const hash = (owner: string) => sha256(owner).slice(0, 32)
      const hashes = [hash(body.owner), hash('nobody')]
      expect(await store().findBodyOwners(hashes)).toEqual([])
      await store().insertBody(await sessionOf(body), body, QUOTA)
      expect(await store().findBodyOwners(hashes)).toEqual([hash(body.owner)])
    })
  })
}
