import { describe, expect, test } from 'vitest'
import { BODY_OMISSIONS } from '../../src/contract/entries/body.ts'
import type { EntryDraft, EntryFilter } from '../../src/ports/log/log-entry.ts'
import { networkRequest, statusChange } from '../contracts/store-samples.ts'
import { closed, harOf, harText, opened } from '../support/har-of-log.ts'

const AT = 1_700_000_000_000
const URL_OF = 'http://127.0.0.1/data.json'

type RequestData = EntryDraft<'NETWORK_REQUEST'>['data']

/** The single HAR entry of a request with these facts. */
async function entryOf(data: Record<string, unknown>, bodies?: Record<string, Uint8Array>) {
  const drafts = [networkRequest(1, data)]
  const made = bodies ? { bodies } : {}
  const { entries } = await harOf(drafts, made)
  // Whether a request was parsed makes no difference.
  expect(await harText(drafts, { ...made, hasTexts: true })).toBe(await harText(drafts, made))
  expect(entries).toHaveLength(1)
  return entries[0]!
}

const body = (inline: string | null, more: Partial<NonNullable<RequestData['responseBody']>> = {}) =>
  ({ contentType: 'text/plain', sizeBytes: 3, truncated: 0, encoding: 'UTF8', inline, sha256: null, ...more }) as const

describe('a HAR of a log', () => {
  test('of nothing is one', async () => {
    expect(await harOf([])).toMatchObject({ version: '1.2', pages: [], entries: [] })
    expect(await harOf([statusChange])).toMatchObject({ entries: [] })
  })

  test('has every request of many steps, in the order of the log', async () => {
    const drafts = Array.from({ length: 20 }, (_, index) => networkRequest(index + 1, { url: `${URL_OF}?${index}` }))
    const { entries } = await harOf(drafts)
    expect(entries.map(({ request }) => request.url)).toEqual(drafts.map((_, index) => `${URL_OF}?${index}`))
  })

  test('says of each request its own headers, of which others have some in common', async () => {
    const sent: Record<string, string>[] = [
      { accept: '*/*', 'x-run': '1' },
      { accept: '*/*', 'x-run': '2\n3' },
      { accept: 'text/html', 'x-run': '2\n3', 'x-quoted': '"' },
      { 'x-run': '1' },
      {},
    ]
    const { entries } = await harOf(sent.map((requestHeaders, index) => networkRequest(index + 1, { requestHeaders })))
    expect(entries.map(({ request }) => request.headers.map(({ name, value }) => `${name}: ${value}`))).toEqual([
      ['accept: */*', 'x-run: 1'],
      ['accept: */*', 'x-run: 2', 'x-run: 3'],
      ['accept: text/html', 'x-run: 2', 'x-run: 3', 'x-quoted: "'],
      ['x-run: 1'],
      [],
    ])
  })

  test('says what was sent, what was received, and when', async () => {
    const entry = await entryOf({
      url: `${URL_OF}?a=1&b=%20`,
      method: 'PUT',
      status: 200,
      requestHeaders: { cookie: 'one=1; two=a=b', accept: '*/*' },
      responseHeaders: {
        'content-type': 'text/html; charset=utf-8',
        'set-cookie':
          'a=1; Path=/x; HttpOnly; SameSite=Lax\nb=2; Secure; Expires=Wed, 01 Jan 2025 00:00:00 GMT; Domain=x.test',
      },
      requestBytes: 5,
      responseBytes: 20,
      remoteAddress: '[2001:db8::1]:443',
    })
    expect(entry).toMatchObject({
      pageref: 'p1',
      startedDateTime: '2023-11-14T22:13:20.400Z',
      time: 12.25,
      serverIPAddress: '2001:db8::1',
      _serverPort: 443,
      connection: '443',
      _resourceType: 'fetch',
      timings: { blocked: 0.25, dns: -1, connect: 0.5, ssl: -1, send: 0, wait: 3, receive: 1 },
    })
    expect(entry.request).toMatchObject({
      method: 'PUT',
      bodySize: 5,
      queryString: [
        { name: 'a', value: '1' },
        { name: 'b', value: ' ' },
      ],
      cookies: [
        { name: 'one', value: '1' },
        { name: 'two', value: 'a=b' },
      ],
    })
    expect(entry.response).toMatchObject({ status: 200, bodySize: 20, _transferSize: 20, redirectURL: '' })
    expect(entry.response.headers.filter(({ name }) => name === 'set-cookie')).toHaveLength(2)
    expect(entry.response.cookies).toEqual([
      { name: 'a', value: '1', path: '/x', httpOnly: true, sameSite: 'Lax' },
      { name: 'b', value: '2', secure: true, expires: '2025-01-01T00:00:00.000Z', domain: 'x.test' },
    ])
  })

  test.each([
    ['a failure', { status: null, failure: 'net::ERR_FAILED', timing: null, responseHeaders: null }],
    ['odd headers', { requestHeaders: { cookie: ';=; ' }, responseHeaders: { 'set-cookie': 'x; Expires=never' } }],
    ['no URL', { url: 'about:?#', remoteAddress: null, pageId: null }],
    ['text that is none', { url: 'http://x/?\ud800', failure: '\u2028"' }],
  ])('can be read of %s', async (_, data) => {
    const entry = await entryOf(data)
    expect(entry.time).toBe(12.25)
  })

  test('tells a failure by the names that DevTools and Playwright know, and invents none', async () => {
    const failed = await entryOf({ status: null, failure: 'net::ERR_FAILED', responseHeaders: null, timing: null })
    const failure = 'net::ERR_FAILED'
    expect(failed.response).toMatchObject({ status: -1, statusText: failure, _failureText: failure, _error: failure })
    expect(failed.timings).toMatchObject({ wait: 12.25, receive: 0 })
    const fine = await entryOf({ status: 204 })
    expect(fine.response).not.toHaveProperty('_failureText')
    expect(fine.response).not.toHaveProperty('_error')
  })

  test.each([
    ['/next?x', 'http://127.0.0.1/next?x'],
    ['https://other.test/', 'https://other.test/'],
    ['http://[', 'http://['],
  ])('tells where a redirect to %s leads', async (location, redirectURL) => {
    expect((await entryOf({ status: 302, responseHeaders: { location } })).response.redirectURL).toBe(redirectURL)
    expect((await entryOf({ status: 201, responseHeaders: { location } })).response.redirectURL).toBe('')
  })

  test('says what later versions of entries know: protocol, priority, initiator, who responded', async () => {
    const initiator = { type: 'SCRIPT', url: 'http://127.0.0.1/a.js', line: 3, column: 7, stack: null }
    const facts = { statusText: 'Fine', protocol: 'h2', priority: 'VERY_HIGH', servedBy: 'SERVICE_WORKER', initiator }
    expect(await entryOf(facts)).toMatchObject({
      request: { httpVersion: 'HTTP/2.0' },
      response: { statusText: 'Fine', httpVersion: 'HTTP/2.0', _fetchedViaServiceWorker: true },
      _priority: 'VeryHigh',
      _initiator: { type: 'script', url: 'http://127.0.0.1/a.js', lineNumber: 2, columnNumber: 6 },
    })
    expect(await entryOf({ servedBy: 'MEMORY_CACHE', protocol: 'http/1.1' })).toMatchObject({
      request: { httpVersion: 'HTTP/1.1' },
      _fromCache: 'memory',
    })
    const cached = await entryOf({ servedBy: 'DISK_CACHE', responseBytes: 20 })
    expect(cached).toMatchObject({ _fromCache: 'disk', response: { bodySize: 0, content: { size: 20 } } })
    expect(cached.response).not.toHaveProperty('_transferSize')
  })

  test('has the calls of the stack of an initiator, across asynchronous parts, without a line that was cut', async () => {
    const stack = [
      '    at load (http://127.0.0.1/a (1).js:3:7)',
      '    at http://127.0.0.1/a.js:1:2',
      '    at async setTimeout',
      '    at eval (<anonymous>:5:6)',
      '    at begin (http://127.0.0.1/a.js:1…',
    ].join('\n')
    const initiator = { type: 'SCRIPT', url: null, line: null, column: null, stack }
    const call = (functionName: string, url: string, lineNumber: number, columnNumber: number) => {
      return { functionName, url, lineNumber, columnNumber }
    }
    expect((await entryOf({ initiator }))._initiator).toEqual({
      type: 'script',
      stack: {
        callFrames: [call('load', 'http://127.0.0.1/a (1).js', 2, 6), call('', 'http://127.0.0.1/a.js', 0, 1)],
        parent: { description: 'setTimeout', callFrames: [call('eval', '', 4, 5)] },
      },
    })
    // Without calls, readers go by the location.
    const odd = { ...initiator, stack: 'at :::\n    at x (\n    at a:b:c\n    at (:1:x\n…' }
    expect(await entryOf({ initiator: odd })).toMatchObject({ _initiator: { type: 'script' } })
    expect((await entryOf({ initiator: odd })) as object).not.toHaveProperty('_initiator.stack')
  })
})

describe('bodies', () => {
  test('that are text are there as they are', async () => {
    const entry = await entryOf({
      method: 'POST',
      requestBody: body('{"a":"\u2028"}', { contentType: 'application/json' }),
      responseBody: body('abc', { sizeBytes: 300 }),
      responseBytes: 100,
    })
    expect(entry.request.postData).toEqual({ mimeType: 'application/json', text: '{"a":"\u2028"}' })
    expect(entry.response.content).toEqual({ size: 300, compression: 200, mimeType: 'application/json', text: 'abc' })
  })

  test('that are not are in base64, and said to be', async () => {
    const bytes = body('AP8=', { encoding: 'BASE64' })
    const entry = await entryOf({ requestBody: bytes, responseBody: bytes })
    expect(entry.request.postData).toMatchObject({ text: 'AP8=', encoding: 'base64' })
    expect(entry.response.content).toMatchObject({ text: 'AP8=', encoding: 'base64' })
  })

  test('that are stored apart are read', async () => {
    const bodies = { one: Buffer.from('Zoë'), two: Buffer.from([0, 255]) }
    const entry = await entryOf(
      { requestBody: body(null, { sha256: 'one' }), responseBody: body(null, { sha256: 'two', encoding: 'BASE64' }) },
      bodies,
    )
    expect(entry.request.postData).toMatchObject({ text: 'Zoë' })
    expect(entry.response.content).toMatchObject({ text: 'AP8=', encoding: 'base64' })
  })

  test('of which a part is recorded say how much', async () => {
    const entry = await entryOf({ responseBody: body('abc', { sizeBytes: 10, truncated: 7 }) })
    expect(entry.response.content).toMatchObject({
      size: 10,
      text: 'abc',
      comment: expect.stringContaining('first 3 of 10') as string,
    })
  })

  test('that are missing say why', async () => {
    const entry = await entryOf({ requestBodyOmitted: 'TOO_LARGE', responseBodyOmitted: 'STREAMING' })
    expect(entry.request.postData).toMatchObject({
      text: '',
      _bodyOmitted: 'TOO_LARGE',
      comment: expect.stringContaining('larger') as string,
    })
    expect(entry.response.content).toMatchObject({
      _bodyOmitted: 'STREAMING',
      comment: expect.stringContaining('not ended') as string,
    })
    expect(entry.response.content).not.toHaveProperty('text')
    const gone = await entryOf({ responseBody: body(null, { sha256: 'gone' }) })
    expect(gone.response.content).toMatchObject({
      size: 3,
      comment: expect.stringContaining('cannot be read') as string,
    })
  })

  test.each(BODY_OMISSIONS)('that are missing for the reason %s say so', async (reason) => {
    const { comment, ...content } = (await entryOf({ responseBodyOmitted: reason })).response.content
    expect(content).toMatchObject({ _bodyOmitted: reason })
    expect(comment).toMatch(/^Body omitted: [a-z].*[a-z]\.$/)
  })

  test('that there were none of have no comment', async () => {
    const entry = await entryOf({ requestBytes: 0, requestBodyOmitted: 'NOT_CAPTURED' })
    expect(entry.request).not.toHaveProperty('postData')
    expect(entry.response.content).toEqual({ size: -1, mimeType: 'application/json' })
  })
})

describe('pages', () => {
  const openedPage = (pageId: string, url: string, at: number): EntryDraft => ({
    kind: 'PAGE_OPENED',
    at,
    data: { pageId, url, openerPageId: null },
  })
  const navigation = (pageId: string, url: string, at: number): EntryDraft => ({
    kind: 'NAVIGATION',
    at,
    data: { pageId, url, sameDocument: false },
  })

  test('are those of the log, with the URL of their first document as title', async () => {
    const { pages, entries } = await harOf([
      openedPage('p1', 'about:blank', AT + 500),
      networkRequest(1),
      navigation('p1', 'http://127.0.0.1/first', AT + 600),
      navigation('p1', 'http://127.0.0.1/second', AT + 700),
      openedPage('p2', 'http://127.0.0.1/popup', AT + 800),
    ])
    const pageTimings = { onContentLoad: -1, onLoad: -1 }
    expect(pages).toEqual([
      // A request came before it.
      { id: 'p1', title: 'http://127.0.0.1/first', startedDateTime: '2023-11-14T22:13:20.400Z', pageTimings },
      { id: 'p2', title: 'http://127.0.0.1/popup', startedDateTime: '2023-11-14T22:13:20.800Z', pageTimings },
    ])
    expect(entries.map(({ pageref }) => pageref)).toEqual(['p1'])
  })

  test('that the log does not tell of are there for their requests; of workers is none', async () => {
    const { pages, entries } = await harOf([networkRequest(1, { pageId: 'p7' }), networkRequest(2, { pageId: null })])
    expect(pages?.map(({ id }) => id)).toEqual(['p7'])
    expect(entries.map(({ pageref }) => pageref)).toEqual(['p7', undefined])
  })
})

describe('a filter', () => {
  const drafts = [
    networkRequest(1, { url: 'http://127.0.0.1/a', status: 500 }),
    networkRequest(2, { url: 'http://127.0.0.1/b' }),
    opened(1),
    closed(1, 'it failed'),
    opened(2),
    closed(2),
  ]

  test.each([
    [{ kinds: null, network: { urlContains: '/b' } }, ['http://127.0.0.1/b']],
    [{ kinds: null, network: { failedOnly: true } }, ['http://127.0.0.1/a', 'ws://127.0.0.1/1']],
    [{ kinds: null, network: { resourceTypes: ['WEBSOCKET'] } }, ['ws://127.0.0.1/1', 'ws://127.0.0.1/2']],
    [{ kinds: ['NETWORK_REQUEST'] }, ['http://127.0.0.1/a', 'http://127.0.0.1/b']],
    [{ kinds: ['CONSOLE_MESSAGE'] }, []],
  ] as [EntryFilter, string[]][])('%j lets through what it says', async (filter, urls) => {
    expect((await harOf(drafts, { filter })).entries.map(({ request }) => request.url)).toEqual(urls)
  })
})

test('an archive for which there is no time is one all the same, and says that it is cut', async () => {
  let asked = 0
  const log = await harOf(
    [1, 2, 3, 4, 5].map((id) => networkRequest(id)),
    { isTimeUp: () => ++asked > 3 },
  )
  expect(log.entries).toHaveLength(3)
  expect(log.comment).toContain('Cut')
})

test('an archive of a log that is deleted meanwhile breaks off', async () => {
  await expect(harOf([networkRequest(1)], { isDeleted: true })).rejects.toThrow('not found')
})
