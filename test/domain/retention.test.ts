import { describe, expect, test } from 'vitest'
import { Retention } from '../../src/domain/sessions/retention.ts'
import { createLogger } from '../../src/logger.ts'
import { SIGN_IN_KEY_NAME } from '../../src/ports/access/api-key.ts'
import { insertWith, networkRequest, sampleApiKey } from '../contracts/store-samples.ts'
import { endDraft, endPatch, newLog, line, store, useStore } from '../support/session-log.ts'

useStore()

const kept = {
  artifacts: { deleteEndedBefore: async () => false, sweep: async () => 0 },
  bodies: { deleteUnused: async () => false, sweep: async () => 0 },
}

const DAY_MS = 24 * 60 * 60 * 1000

async function endedSession(endedAt: number): Promise<string> {
  const { log, record } = await newLog()
  log.append(line('kept for a while'))
  await log.end({ ...endDraft, at: endedAt }, { ...endPatch, endedAt })
  return record.id
}

describe('retention', () => {
  test('deletes sessions that ended longer ago than the days, with their logs; not younger ones, not live ones', async () => {
    const now = Date.now()
    const [old, young] = [await endedSession(now - 31 * DAY_MS), await endedSession(now - 29 * DAY_MS)]
    const live = (await newLog()).record.id
    await new Retention(store, kept, { sessions: 30, bodies: 0 }, createLogger('silent')).sweep(now)
    expect(await store.findSession(old)).toBeNull()
    expect(await store.findEntry(old, 1)).toBeNull()
    expect(await store.findSession(young)).not.toBeNull()
    expect(await store.findEntry(young, 1)).not.toBeNull()
    expect(await store.findSession(live)).not.toBeNull()
  })

  test('0 days: for ever', async () => {
    const ancient = await endedSession(DAY_MS)
    await new Retention(store, kept, { sessions: 0, bodies: 0 }, createLogger('silent')).sweep(Date.now())
    expect(await store.findSession(ancient)).not.toBeNull()
  })

  test('bodies may go before their sessions, and the bytes of those that nobody has any more go last', async () => {
    const now = Date.now()
    const body = { contentType: null, sizeBytes: 1, truncated: 0, encoding: 'UTF8', inline: 'a', sha256: null } as const
    const ended = async (days: number) => {
      const drafts = [networkRequest(1, { responseBody: body, responseBodyOmitted: null })]
      const { session } = await insertWith(store, drafts, {})
      const endedAt = now - days * DAY_MS
      await store.patchSession(session.id, { status: 'CLOSED', endReason: 'TERMINATED', endedAt })
      return session.id
    }
    const omissionOf = async (id: string) => {
      const entry = await store.findRequestEntry(id, 1)
      return entry?.kind === 'NETWORK_REQUEST' ? entry.data.responseBodyOmitted : 'no entry'
    }
    const [old, young] = [await ended(8), await ended(6)]
    let unused = 3
    const bodies = { ...kept.bodies, deleteUnused: async () => --unused > 0 }
    const silent = createLogger('silent')
    await new Retention(store, { ...kept, bodies }, { sessions: 0, bodies: 0 }, silent).sweep(now)
    expect(await omissionOf(old)).toBeNull()
    expect(unused).toBe(0)
    await new Retention(store, kept, { sessions: 0, bodies: 7 }, silent).sweep(now)
    expect(await omissionOf(old)).toBe('EXPIRED')
    expect(await omissionOf(young)).toBeNull()
  })

  test('keys of signing in are deleted once they have expired; other keys stay, and so do those that still work', async () => {
    const now = Date.now()
    const [expired, valid, other] = [
      sampleApiKey({ name: SIGN_IN_KEY_NAME, expiresAt: now - 1 }),
      sampleApiKey({ name: SIGN_IN_KEY_NAME, expiresAt: now + DAY_MS }),
      sampleApiKey({ name: 'ci', expiresAt: now - 1 }),
    ]
    for (const key of [expired, valid, other]) await store.insertApiKey(key)
    // Also if sessions are kept forever.
    await new Retention(store, kept, { sessions: 0, bodies: 0 }, createLogger('silent')).sweep(now)
    expect(await store.findApiKey(expired.id)).toBeNull()
    expect(await store.findApiKey(valid.id)).toEqual(valid)
    expect(await store.findApiKey(other.id)).toEqual(other)
  })

  test('it closes in the middle of its rounds', async () => {
    const retention = new Retention(store, kept, { sessions: 30, bodies: 0 }, createLogger('silent'))
    retention.start()
    await expect(retention.close()).resolves.toBeUndefined()
  })
})
