import { expect, test } from 'vitest'
import { PendingRequests } from '../../src/domain/log/entries/pending-requests.ts'

const unanswered = { status: null, responseHeaders: null, responseBytes: 0 }
const fetched = { method: 'GET', resourceType: 'FETCH', pageId: 'p1' } as const
const request = (requestId: number) => ({ requestId, startedAt: 10, url: 'http://x/', ...fetched, ...unanswered })

test('a request that ended with the session is told once, whatever becomes of it later', () => {
  const pending = new PendingRequests()
  pending.add(request(1))
  pending.add(request(2))
  expect(pending.settled(1)).toBe(true)
  expect(pending.endAll('session ended', 30)).toMatchObject([
    { kind: 'NETWORK_REQUEST', data: { requestId: 2, failure: 'session ended', durationMs: 20 } },
  ])
  expect(pending.settled(2)).toBe(false)
  expect(pending.endAll('session ended', 40)).toEqual([])
})

test('what begins while the session ends has an end too', () => {
  const pending = new PendingRequests()
  pending.endAll('session ended', 30)
  pending.add(request(3))
  expect(pending.size).toBe(1)
  expect(pending.endAll('session ended', 40)).toMatchObject([{ data: { requestId: 3 } }])
})
