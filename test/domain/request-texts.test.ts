import { describe, expect, test } from 'vitest'
import { readEntryData } from '../../src/contract/entries/read-entry.ts'
import { RequestTextsReader } from '../../src/contract/entries/request-texts-reader.ts'
import { textsOfRequest } from '../../src/contract/entries/request-texts.ts'
import { ENTRY_VERSION } from '../../src/contract/entries/upgrades.ts'
import type { RequestCookie } from '../../src/contract/entries/network-request.ts'
import type { EntryDraft } from '../../src/ports/log/log-entry.ts'
import { networkRequest } from '../contracts/store-samples.ts'

type RequestData = EntryDraft<'NETWORK_REQUEST'>['data']

const requestOf = (data: Partial<RequestData> = {}) => networkRequest(1, data).data as RequestData
const read = (request: object, reader = new RequestTextsReader()) => reader.read(JSON.stringify(request))
const body = { contentType: null, sizeBytes: 3, truncated: 0, sha256: null, encoding: 'UTF8', inline: 'a"b' } as const
const cookie: RequestCookie = {
  name: 'a',
  value: '"',
  domain: null,
  path: '/',
  expiresAt: 1_700_000_000_000,
  httpOnly: true,
  secure: false,
  sameSite: 'LAX',
  blockedReasons: ['SameSiteLax', '\\'],
  exemptionReason: null,
}

describe('texts of a stored request', () => {
  test.each<[string, Partial<RequestData>]>([
    ['an ordinary one', {}],
    ['one without a response', { status: null, responseHeaders: null, timing: null, failure: 'net::ERR_FAILED' }],
    ['one with bodies', { requestBody: body, responseBody: { ...body, encoding: 'BASE64', contentType: 'x/y' } }],
    ['one with cookies', { cookiesSent: [cookie, cookie], cookiesSet: [] }],
    ['one of a worker', { frame: null, initiator: null, pageId: null, remoteAddress: null }],
    [
      'texts that look like members',
      { url: '","frame":{', method: ']}', requestHeaders: { a: '},"responseHeaders":{' } },
    ],
    ['escapes', { url: '\u2028\\"\u0001Zoë', requestHeaders: { '\\': '"', '"': '\\' } }],
    ['omitted bodies', { requestBodyOmitted: 'TOO_LARGE', responseBodyOmitted: 'STREAMING' }],
  ])('are those of its data: %s', (_, data) => {
    const request = requestOf(data)
    expect(read(request)).toEqual(textsOfRequest(request))
  })

  test('are its own after others, of which it shares some', () => {
    const reader = new RequestTextsReader()
    const several = [
      requestOf({ requestHeaders: { a: '1' } }),
      requestOf({ requestHeaders: { a: '1' }, responseHeaders: {} }),
      requestOf({ requestHeaders: { a: '1', b: '2' }, responseHeaders: null }),
      requestOf({ requestHeaders: {}, responseHeaders: { a: '1' } }),
      requestOf({ requestHeaders: {}, responseHeaders: { a: '1' }, redirectedFrom: 'http://127.0.0.1/' }),
    ]
    for (const request of [...several, ...several]) expect(read(request, reader)).toEqual(textsOfRequest(request))
  })

  test.each<[string, Partial<RequestData>]>([
    ['stored separately', { responseBody: { ...body, inline: null, sha256: 'ab' } }],
    ['encrypted', { requestBody: { ...body, encoding: 'SEALED_UTF8' } }],
  ])('are not read where a body is %s', (_, data) => {
    expect(read(requestOf(data))).toBeNull()
  })

  test('are never read of what is no request', () => {
    const request = requestOf({ requestBody: body, responseBody: body, cookiesSent: [cookie] })
    const values = [null, true, 'x', '', -1, 1.5, 5e9, 1e20, [], {}, [1], { x: 1 }, 'GET', 'null']
    const isValid = (data: object) =>
      readEntryData({ kind: 'NETWORK_REQUEST', version: ENTRY_VERSION, at: 1, data }).problem === null
    expect(damagedBy(request, values).filter((damaged) => read(damaged) !== null && !isValid(damaged))).toEqual([])
    const { pageId, ...rest } = request
    expect(read({ pageId, ...rest })).toBeNull()
    expect(read({ ...request, more: 1 })).toBeNull()
    expect(new RequestTextsReader().read(`${JSON.stringify(request)} `)).toBeNull()
  })
})

/** The object with each of its members, at any depth, missing or replaced. */
function damagedBy(object: object, values: readonly unknown[]): object[] {
  return Object.entries(object).flatMap(([name, value]) => {
    const within = typeof value === 'object' && value !== null ? damagedBy(value as object, values) : []
    const replaced = [...values, ...within].map((other) => {
      const copy = structuredClone(object) as Record<string, unknown>
      copy[name] = other
      return copy
    })
    const missing = structuredClone(object) as Record<string, unknown>
    delete missing[name]
    return [...replaced, missing]
  })
}
