import { describe, expect, test } from 'vitest'
import { textsOfRequest } from '../../src/contract/entries/request-texts.ts'
import type { LogEntry } from '../../src/ports/log/log-entry.ts'
import type { Store, StoredRequest } from '../../src/ports/store/store.ts'
import { UnstorableBatch } from '../../src/ports/store/store-errors.ts'
import { insertWith, networkRequest, numbered, readAll, statusChange } from './store-samples.ts'

/** Part of the store contract: entries of requests, which may be stored as they were written. */
export function describeRequestEntries(store: () => Store): void {
  describe('requests', () => {
    test('repeated by another writer, with another header of a request alone, is a conflict', async () => {
      const { session } = await insertWith(store(), [statusChange])
      const [one, other] = ['one', 'two'].map((value) =>
        numbered([networkRequest(1, { requestHeaders: { value } })], 1),
      )
      expect(await store().append(session.id, 1, one!)).toEqual({ kind: 'committed' })
      expect(await store().append(session.id, 1, other!)).toEqual({ kind: 'conflict', lastSequence: 2 })
      expect(await store().append(session.id, 1, one!)).toEqual({ kind: 'committed' })
    })

    test('keeps the headers of a request in their order, and backslashes before what looks like an escape', async () => {
      const requestHeaders = { 'user-agent': '\\u0000', host: 'a\\\\ud83d', accept: '\\\ufffd\u0001', a: '"\\"\\ud83d' }
      const { session } = await insertWith(store(), [networkRequest(1, { requestHeaders })])
      const [entry] = await readAll(store(), session.id, { kinds: ['NETWORK_REQUEST'] })
      const { requestHeaders: read } = (entry as LogEntry<'NETWORK_REQUEST'>).data
      expect(Object.entries(read)).toEqual(Object.entries(requestHeaders))
    })

    test('are not parsed for a reader of texts, unless a body is stored separately', async () => {
      const responseBody = { contentType: null, sizeBytes: 9, truncated: 0, encoding: 'UTF8', inline: null } as const
      const drafts = [networkRequest(1), networkRequest(2, { responseBody: { ...responseBody, sha256: 'ab' } })]
      const { session } = await insertWith(store(), drafts)
      const query = { sessionId: session.id, filter: { kinds: null }, direction: 'forward', limit: 10 } as const
      const { entries } = await store().readEntries({ ...query, withTexts: true })
      const { entries: parsed } = await store().readEntries(query)
      const [first, second] = entries as (LogEntry<'NETWORK_REQUEST'> | StoredRequest)[]
      expect('texts' in first! && first.texts).toEqual(textsOfRequest((drafts[0] as LogEntry<'NETWORK_REQUEST'>).data))
      expect(second).not.toHaveProperty('texts')
      const plain = entries.map(({ kind, sequence, at, data }) => ({ kind, sequence, at, data }))
      expect(plain).toEqual(parsed)
      expect(parsed[0]).not.toHaveProperty('texts')
    })

    test.each(['\\\0', '\\\\\ud83d', 'a\udc00'])('that cannot be stored as text are refused: %j', async (value) => {
      const { session } = await insertWith(store(), [])
      const batch = numbered([networkRequest(1, { requestHeaders: { value } })])
      await expect(store().append(session.id, 0, batch)).rejects.toThrow(UnstorableBatch)
    })
  })
}
