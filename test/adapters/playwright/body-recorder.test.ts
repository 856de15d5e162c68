import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { BodyRecorder, type BodyCapture } from '../../../src/adapters/playwright/recorders/bodies/body-recorder.ts'
import { RecorderSet } from '../../../src/adapters/playwright/recorders/recorder-set.ts'
import { TargetRegistry } from '../../../src/adapters/playwright/cdp/targets/target-registry.ts'
import type { SavedBody } from '../../../src/ports/log/body.ts'
import { fakeCdpConnection, undelayedPipes } from './fake-cdp-connection.ts'
import { RecordingRecorder } from './recording-recorder.ts'
import { logger } from './test-pool.ts'
import { DEFAULT_CAPTURE } from '../../../src/ports/browser/capture.ts'

const OFTEN = { interval: 1 }
const TEXT: BodyCapture = { bodies: 'TEXT', maxBodyBytes: 1_000, waitMs: 60_000 }

/** A recording of a page with scripted browser events. */
function record(capture: Partial<BodyCapture> = {}, pipes = undelayedPipes()) {
  const { connection, emit, sent, answer, refuse, attach } = fakeCdpConnection(pipes)
  const targets = new TargetRegistry(connection)
  const recorder = new RecordingRecorder()
  const options = { ...DEFAULT_CAPTURE, ...TEXT, ...capture }
  const site = '/no/such/folder'
  const recording = new RecorderSet(connection, targets, recorder, true, site, logger, undefined, undefined, options)
  onTestFinished(() => recording.stop())
  // It requests the titles of pages every second.
  void targets.start()
  answer('Target.attachToBrowserTarget', { sessionId: 'own' })
  attach('page', 'page')
  /** A request up to its response. */
  const begin = (
    requestId: string,
    type = 'Fetch',
    request: object = {},
    response: object = {},
    hasExtraInfo = false,
  ) => {
    const shared = { requestId, loaderId: 'l', timestamp: 1, type }
    const url = `http://site/${requestId}`
    emit(
      'Network.requestWillBeSent',
      { ...shared, wallTime: 1, request: { url, method: 'GET', headers: {}, ...request } },
      'page',
    )
    const headers = { 'Content-Type': 'application/json' }
    emit(
      'Network.responseReceived',
      {
        ...shared,
        response: { url, status: 200, headers, mimeType: '', encodedDataLength: 9, ...response },
        hasExtraInfo,
      },
      'page',
    )
  }
  const end = (requestId: string, dataLength = 7) => {
    emit('Network.dataReceived', { requestId, timestamp: 2, dataLength, encodedDataLength: 0 }, 'page')
    emit('Network.loadingFinished', { requestId, timestamp: 2, encodedDataLength: 16 }, 'page')
  }
  const fetched = (requestId: string, ...more: [type?: string, request?: object, response?: object]) => {
    begin(requestId, ...more)
    end(requestId)
  }
  const asked = (method = 'Network.getResponseBody') => sent.filter((command) => command.includes(`"${method}"`)).length
  const reported = () =>
    recorder
      .of('NETWORK_REQUEST')
      .map(({ url, responseBody, responseBodyOmitted }) => [
        url.replace('http://site/', ''),
        responseBody?.inline ?? responseBodyOmitted,
      ])
  return { emit, begin, end, fetched, asked, answer, refuse, attach, reported, recorder, recording }
}

test('an entry whose body does not come in time says so, and the others do not wait for it', async () => {
  const { fetched, reported, recorder } = record({ waitMs: 1 })
  fetched('slow')
  fetched('nothing', 'Fetch', {}, { status: 204 })
  expect(reported()).toEqual([['nothing', null]])
  expect(recorder.inFlight.size).toBe(1)
  await expect.poll(reported, OFTEN).toEqual([
    ['nothing', null],
    ['slow', 'LATE'],
  ])
})

test('so does one whose body is not kept in time', async () => {
  const { fetched, answer, reported, recorder } = record({ waitMs: 50 })
  const { promise, resolve } = Promise.withResolvers<SavedBody>()
  const saveBody = vi.spyOn(recorder, 'saveBody').mockReturnValue(promise)
  fetched('kept')
  answer('Network.getResponseBody', { body: '{}', base64Encoded: false })
  await expect.poll(() => saveBody.mock.calls.length, OFTEN).toBe(1)
  await expect.poll(reported, OFTEN).toEqual([['kept', 'LATE']])
  resolve({ body: null, omitted: 'QUOTA' })
  await promise
  expect(reported()).toEqual([['kept', 'LATE']])
})

test('entries are written as their bodies come, each with its own', async () => {
  const { fetched, answer, reported } = record()
  fetched('one')
  fetched('two')
  answer('Network.getResponseBody', { body: '{"of":2}', base64Encoded: false })
  await expect.poll(reported, OFTEN).toEqual([['two', '{"of":2}']])
})

test('the end of a session waits for bodies within its deadline', async () => {
  const { fetched, answer, reported, recording } = record()
  fetched('never')
  fetched('answered')
  recording.flush('session ended')
  expect(reported()).toEqual([])
  answer('Network.getResponseBody', { body: '{}', base64Encoded: false })
  await recording.finishBodies(100)
  expect(reported()).toEqual([
    ['answered', '{}'],
    ['never', 'LATE'],
  ])
})

test('what the keeping of bodies says of one is in its entry', async () => {
  const { fetched, answer, reported, recorder } = record()
  vi.spyOn(recorder, 'saveBody').mockResolvedValue({ body: null, omitted: 'QUOTA' })
  fetched('full')
  answer('Network.getResponseBody', { body: '{}', base64Encoded: false })
  await expect.poll(reported, OFTEN).toEqual([['full', 'QUOTA']])
})

describe('nothing is asked for', () => {
  test.each([
    ['what is larger than is recorded', 'TOO_LARGE', {}, 'Fetch', {}, 1_001],
    [
      'what is promised to be larger',
      'TOO_LARGE',
      {},
      'Fetch',
      { headers: { 'content-type': 'text/css', 'Content-Length': '1001' } },
      0,
    ],
    ['what is not recorded', 'NOT_CAPTURED', {}, 'Script', {}, 7],
    ['pictures', 'NOT_CAPTURED', {}, 'Fetch', { headers: { 'content-type': 'image/png' } }, 7],
    ['all, where no bodies are recorded', 'NOT_CAPTURED', { bodies: 'NONE' }, 'Fetch', {}, 7],
    ['server-sent events', 'STREAMING', {}, 'EventSource', {}, 7],
    ['what has no body', null, {}, 'Fetch', { status: 205 }, 0],
    ['what has an empty one', null, {}, 'Fetch', { headers: { 'content-length': '0' } }, 0],
  ] as const)('%s: %s', (_what, expected, capture, type, response, bytes) => {
    const { begin, end, asked, reported } = record(capture)
    begin('1', type, {}, response)
    end('1', bytes)
    expect(reported()).toEqual([['1', expected]])
    expect(asked()).toBe(0)
  })
})

test.each([
  ['image/png', 'Image', 404, 'NOT_CAPTURED', 0],
  ['text/html; charset=utf-8', 'Image', 404, '{}', 1],
  ['TEXT/HTML', 'Document', 200, '{}', 1],
  ['application/vnd.api+json', 'XHR', 500, '{}', 1],
])('%s of a %s with %d is recorded as %j', async (type, resource, status, expected, times) => {
  const { fetched, asked, answer, reported } = record()
  fetched('1', resource, {}, { status, headers: { 'content-type': type } })
  expect(asked()).toBe(times)
  if (times > 0) answer('Network.getResponseBody', { body: '{}', base64Encoded: false })
  await expect.poll(reported, OFTEN).toEqual([['1', expected]])
})

test('one that is larger than it was said to be is cut', async () => {
  const { begin, end, answer, recorder } = record()
  begin('1')
  end('1', 0)
  answer('Network.getResponseBody', { body: 'ä'.repeat(501), base64Encoded: false })
  await expect.poll(() => recorder.of('NETWORK_REQUEST').length, OFTEN).toBe(1)
  const [entry] = recorder.of('NETWORK_REQUEST')
  expect(entry?.responseBody).toMatchObject({ inline: 'ä'.repeat(500), sizeBytes: 1_002, truncated: 2 })
})

test('one whose message is too large to be read is too large', async () => {
  const { begin, end, answer, reported } = record({}, undelayedPipes({ parsed: 2_000, relayed: 2_000 }))
  begin('1')
  end('1', 0)
  answer('Network.getResponseBody', { body: 'x'.repeat(3_000), base64Encoded: false })
  await expect.poll(reported, OFTEN).toEqual([['1', 'TOO_LARGE']])
})

test('another page is asked where the session of a request is gone', async () => {
  const { emit, fetched, asked, answer, attach, reported } = record()
  attach('popup', 'page')
  fetched('1')
  emit('Target.detachedFromTarget', { sessionId: 'page' })
  await expect.poll(() => asked(), OFTEN).toBe(2)
  answer('Network.getResponseBody', { body: '{}', base64Encoded: false })
  await expect.poll(reported, OFTEN).toEqual([['1', '{}']])
})

test('what had not ended when its page did was streaming', () => {
  const { emit, begin, reported } = record()
  begin('1')
  emit('Network.dataReceived', { requestId: '1', timestamp: 2, dataLength: 5, encodedDataLength: 5 }, 'page')
  emit('Target.detachedFromTarget', { sessionId: 'page' })
  expect(reported()).toEqual([['1', 'STREAMING']])
})

test('what the browser does not give is opaque', async () => {
  const { fetched, refuse, reported } = record()
  fetched('1')
  refuse('Network.getResponseBody')
  await expect.poll(reported, OFTEN).toEqual([['1', 'OPAQUE']])
})

test('bodies of a flood are fetched some at a time', async () => {
  const { fetched, asked, answer, reported } = record()
  for (let i = 0; i < 100; i += 1) fetched(`${i}`)
  expect(asked()).toBe(64)
  answer('Network.getResponseBody', { body: '{}', base64Encoded: false })
  await expect.poll(() => asked(), OFTEN).toBe(65)
  await expect.poll(reported, OFTEN).toEqual([['63', '{}']])
})

describe('what a request sends that the browser tells only when asked', () => {
  const request = { method: 'POST', hasPostData: true, headers: { 'Content-Type': 'multipart/form-data; boundary=b' } }
  const length = (bytes: number) => ({ requestId: '1', headers: { 'Content-Length': `${bytes}` } })
  const ASK = 'Network.getRequestPostData'
  const sent = ({ recorder }: ReturnType<typeof record>) =>
    recorder.of('NETWORK_REQUEST').map(({ requestBody, requestBodyOmitted }) => requestBody ?? requestBodyOmitted)

  test.each([
    ['before', true],
    ['after', false],
  ])('is asked for as soon as its length is known, told %s the request', async (_when, isEarly) => {
    const recorded = record()
    const { emit, begin, end, asked, answer } = recorded
    if (isEarly) emit('Network.requestWillBeSentExtraInfo', length(40), 'page')
    begin('1', 'Fetch', request, { status: 204 })
    if (!isEarly) {
      expect(asked(ASK)).toBe(0)
      emit('Network.requestWillBeSentExtraInfo', length(40), 'page')
    }
    expect(asked(ASK)).toBe(1)
    // Contents of files on disk are not included.
    answer(ASK, { postData: '--b without the file --b--', base64Encoded: false })
    end('1', 0)
    await expect
      .poll(() => sent(recorded), OFTEN)
      .toMatchObject([{ inline: '--b without the file --b--', sizeBytes: 40, truncated: 14, encoding: 'UTF8' }])
  })

  test.each([
    ['too large', 1_001, 'TOO_LARGE'],
    ['of unknown length', null, 'OPAQUE'],
  ])('is never asked for if it is %s', (_what, bytes, expected) => {
    const recorded = record()
    const { emit, begin, end, asked } = recorded
    if (bytes !== null) emit('Network.requestWillBeSentExtraInfo', length(bytes), 'page')
    begin('1', 'Fetch', request, { status: 204 })
    end('1', 0)
    expect(asked(ASK)).toBe(0)
    expect(sent(recorded)).toEqual([expected])
  })

  test.each([
    ['too large', 1_001, ['TOO_LARGE'], 0],
    ['small enough', 40, [expect.objectContaining({ inline: '--b--', sizeBytes: 40 })], 1],
  ])('has a length that is told only after its end: it is %s', async (_what, bytes, expected, times) => {
    const recorded = record()
    const { emit, begin, end, asked, answer } = recorded
    begin('1', 'Fetch', request, { status: 204 }, true)
    end('1', 0)
    expect(sent(recorded)).toEqual([])
    emit('Network.requestWillBeSentExtraInfo', length(bytes), 'page')
    emit(
      'Network.responseReceivedExtraInfo',
      { requestId: '1', headers: {}, statusCode: 204, blockedCookies: [] },
      'page',
    )
    await expect.poll(() => asked(ASK), OFTEN).toBe(times)
    if (times > 0) answer(ASK, { postData: '--b--', base64Encoded: false })
    await expect.poll(() => sent(recorded), OFTEN).toEqual(expected)
  })

  test('is forgotten, oldest first, when requests that do not end hold too much of it', async () => {
    const recorded = record({ maxBodyBytes: 10 * 1024 * 1024 })
    const { begin, end } = recorded
    const bytes = Buffer.alloc(6 * 1024 * 1024, 'x').toString('base64')
    const large = { ...request, postDataEntries: [{ bytes }] }
    for (const id of ['1', '2', '3']) begin(id, 'Fetch', large, { status: 204 })
    end('1', 0)
    await expect.poll(() => sent(recorded), OFTEN).toEqual(['LATE'])
    end('3', 0)
    await expect.poll(() => sent(recorded), OFTEN).toMatchObject(['LATE', { sizeBytes: 6 * 1024 * 1024, truncated: 0 }])
  })
})

test('each hop of a redirect has the body that it sent', async () => {
  const { emit, recorder, end } = record()
  const shared = { requestId: '1', loaderId: 'l', timestamp: 1, wallTime: 1, type: 'Fetch' }
  const post = (text: string) => ({
    url: 'http://site/1',
    method: 'POST',
    headers: { 'content-type': 'text/plain' },
    hasPostData: true,
    postDataEntries: [{ bytes: Buffer.from(text).toString('base64') }],
  })
  emit('Network.requestWillBeSent', { ...shared, request: post('to the first') }, 'page')
  const redirectResponse = {
    url: 'http://site/1',
    status: 307,
    headers: { location: '/2' },
    mimeType: 'text/html',
    encodedDataLength: 9,
  }
  emit('Network.requestWillBeSent', { ...shared, request: post('to the second'), redirectResponse }, 'page')
  const response = { url: 'http://site/2', status: 204, headers: {}, mimeType: '', encodedDataLength: 9 }
  emit('Network.responseReceived', { ...shared, response, hasExtraInfo: false }, 'page')
  end('1', 0)
  await expect
    .poll(() => recorder.of('NETWORK_REQUEST').map(({ status, requestBody }) => [status, requestBody?.inline]), OFTEN)
    .toEqual([
      [307, 'to the first'],
      [204, 'to the second'],
    ])
})

test('without bodies the browser keeps none for us', () => {
  const { connection, sent, attach } = fakeCdpConnection()
  const targets = new TargetRegistry(connection)
  attach('page', 'page')
  const { saveBody } = new RecordingRecorder()
  const recorder = new BodyRecorder(connection, targets, saveBody, { bodies: 'NONE', maxBodyBytes: 1 })
  expect(recorder).toBeInstanceOf(BodyRecorder)
  expect(sent.join('')).not.toContain('enableDurableMessages')
})
