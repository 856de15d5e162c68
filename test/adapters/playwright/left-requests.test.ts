import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { RecorderSet } from '../../../src/adapters/playwright/recorders/recorder-set.ts'
import { TargetRegistry } from '../../../src/adapters/playwright/cdp/targets/target-registry.ts'
import { fakeCdpConnection } from './fake-cdp-connection.ts'
import { RecordingRecorder } from './recording-recorder.ts'
import { logger } from './test-pool.ts'

/** Requests whose documents, pages or workers are gone, with scripted browser events. */

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] })
})
afterEach(() => {
  vi.useRealTimers()
})

function record() {
  const { connection, emit, attach, answer } = fakeCdpConnection()
  const targets = new TargetRegistry(connection)
  const recorder = new RecordingRecorder()
  const recording = new RecorderSet(connection, targets, recorder, true, '/no/such/folder', logger)
  onTestFinished(() => recording.stop())
  attach('page', 'page')
  const begin = (requestId: string, type: string, method = 'POST', url = `http://site/${requestId}`) => {
    const request = { url, method, headers: {}, initialPriority: 'Low' }
    const begun = { requestId, loaderId: 'first', frameId: 'f', timestamp: 1, wallTime: 1, type, request }
    emit('Network.requestWillBeSent', { ...begun, initiator: { type: 'other' } }, 'page')
  }
  const received = (requestId: string, statusCode: number, headers: object = {}) =>
    emit('Network.responseReceivedExtraInfo', { requestId, statusCode, headers }, 'page')
  const answered = (requestId: string, status: number, headers: object, hasExtraInfo = false) => {
    const mimeType = 'text/event-stream'
    const response = { url: `http://site/${requestId}`, status, headers, mimeType, encodedDataLength: 9 }
    emit('Network.responseReceived', { requestId, timestamp: 2, type: 'Fetch', response, hasExtraInfo }, 'page')
  }
  const failed = (requestId: string, errorText: string, rest: object = {}) =>
    emit('Network.loadingFailed', { requestId, timestamp: 2, type: 'Fetch', errorText, ...rest }, 'page')
  const leave = () => emit('Page.frameNavigated', { frame: { id: 'f', loaderId: 'second', url: '' } }, 'page')
  const closePage = () => emit('Target.detachedFromTarget', { sessionId: 'page' })
  /** Half a second goes by, and the network process says nothing of the requests, but answers. */
  const networkIsSilent = async () => {
    vi.advanceTimersByTime(600)
    await nextTurn()
    // Those that ask while one question is on its way share the next.
    for (let count = 0; count < 2; count += 1) {
      answer('Network.getCookies', { cookies: [] })
      await nextTurn()
    }
  }
  const outcomes = () =>
    recorder.of('NETWORK_REQUEST').map(({ url, outcome, status, failure }) => [url.slice(12), outcome, status, failure])
  return { emit, begin, received, answered, failed, leave, closePage, networkIsSilent, outcomes, recorder, recording }
}

test('of a document that was left: what cannot outlive it is aborted, the rest gets the time to be delivered', () => {
  const { begin, leave, outcomes } = record()
  begin('xhr', 'XHR')
  begin('get', 'Fetch', 'GET')
  begin('post', 'Fetch')
  begin('beacon', 'Ping')
  begin('report', 'CSPViolationReport')
  leave()
  const aborted = ['CANCELED', null, 'net::ERR_ABORTED']
  vi.advanceTimersByTime(3_000)
  expect(outcomes()).toEqual([['xhr', ...aborted]])
  vi.advanceTimersByTime(10_000)
  expect(outcomes().slice(1)).toEqual([['get', ...aborted]])
  // The browser itself gives up after 30 s.
  vi.advanceTimersByTime(18_000)
  expect(outcomes()).toHaveLength(2)
  vi.advanceTimersByTime(10_000)
  expect(outcomes().slice(2)).toEqual([
    ['post', 'UNKNOWN', null, null],
    ['beacon', 'UNKNOWN', null, null],
    ['report', 'UNKNOWN', null, null],
  ])
})

test('what a document asked for that was left reaches nobody, whatever the response', () => {
  const { begin, received, leave, outcomes } = record()
  begin('get', 'Fetch', 'GET')
  leave()
  received('get', 200)
  expect(outcomes()).toEqual([['get', 'CANCELED', 200, 'net::ERR_ABORTED']])
})

test('what the network process tells of one is its outcome, redirects included, whether it tells before or after', () => {
  const { begin, received, leave, outcomes, recorder } = record()
  begin('early', 'Ping')
  begin('late', 'Fetch')
  begin('moved', 'Ping')
  received('early', 503)
  leave()
  received('late', 201)
  received('moved', 302, { Location: '/there' })
  expect([...recorder.inFlight.values()]).toMatchObject([{ url: 'http://site/there', method: 'GET' }])
  received('moved', 204)
  expect(outcomes()).toEqual([
    ['early', 'COMPLETED', 503, null],
    ['late', 'COMPLETED', 201, null],
    ['moved', 'COMPLETED', 302, null],
    ['there', 'COMPLETED', 204, null],
  ])
  expect(recorder.of('NETWORK_REQUEST').at(-1)).toMatchObject({ redirectedFrom: 'http://site/moved' })
  vi.advanceTimersByTime(60_000)
  expect(outcomes()).toHaveLength(4)
})

test('a canceled fetch was canceled by its page, unless the page goes right then', async () => {
  const { begin, failed, received, closePage, networkIsSilent, outcomes } = record()
  const canceled = { canceled: true }
  begin('by-page', 'Fetch')
  failed('by-page', 'net::ERR_ABORTED', canceled)
  await networkIsSilent()
  expect(outcomes()).toEqual([['by-page', 'CANCELED', null, 'net::ERR_ABORTED']])
  begin('closing', 'Fetch')
  begin('delivered', 'Fetch')
  begin('beacon', 'Ping')
  received('delivered', 200)
  for (const requestId of ['closing', 'delivered', 'beacon']) failed(requestId, 'net::ERR_ABORTED', canceled)
  expect(outcomes()).toHaveLength(1)
  closePage()
  expect(outcomes().slice(1).toSorted()).toEqual([
    ['beacon', 'UNKNOWN', null, null],
    ['closing', 'UNKNOWN', null, null],
    ['delivered', 'COMPLETED', 200, null],
  ])
})

test('when a page closes, a response that came whole has completed, and one that did not was canceled', () => {
  const { emit, begin, answered, closePage, outcomes } = record()
  const data = (requestId: string, dataLength: number) =>
    emit('Network.dataReceived', { requestId, timestamp: 2, dataLength, encodedDataLength: 0 }, 'page')
  for (const requestId of ['whole', 'part', 'open']) begin(requestId, 'Fetch', 'GET')
  answered('whole', 200, { 'Content-Length': '5' })
  data('whole', 5)
  answered('part', 200, { 'Content-Length': '5' })
  data('part', 4)
  answered('open', 200, { 'Content-Type': 'text/event-stream' })
  data('open', 4)
  begin('sent', 'Fetch')
  answered('sent', 201, { 'Content-Type': 'text/html' })
  closePage()
  expect(outcomes()).toEqual([
    ['whole', 'COMPLETED', 200, null],
    ['part', 'CANCELED', 200, 'page closed'],
    ['open', 'CANCELED', 200, 'page closed'],
    // It was delivered, and the reader of the rest of the response is gone.
    ['sent', 'UNKNOWN', 201, null],
  ])
})

test.each([
  ['net::ERR_FAILED', { corsErrorStatus: { corsError: 'MissingAllowOriginHeader' } }, 'BLOCKED'],
  ['net::ERR_BLOCKED_BY_ORB', {}, 'BLOCKED'],
  ['net::ERR_BLOCKED_BY_RESPONSE.NotSameOrigin', { blockedReason: 'corp-not-same-origin' }, 'BLOCKED'],
])('a response that the page must not see is waited for: %s', async (errorText, why, outcome) => {
  const { begin, failed, received, networkIsSilent, outcomes } = record()
  begin('hidden', 'Fetch')
  begin('never', 'Fetch')
  for (const requestId of ['hidden', 'never']) failed(requestId, errorText, why)
  expect(outcomes()).toEqual([])
  received('hidden', 500)
  expect(outcomes()).toMatchObject([['hidden', outcome, 500, expect.stringContaining(errorText)]])
  await networkIsSilent()
  expect(outcomes()).toMatchObject([{}, ['never', outcome, null, expect.stringContaining(errorText)]])
})

test('headers are missing only once the network process was heard, however late that is', async () => {
  const { begin, answered, emit, received, networkIsSilent, outcomes, recorder } = record()
  for (const requestId of ['late', 'never']) {
    begin(requestId, 'Fetch', 'GET')
    answered(requestId, 200, { 'X-Of': 'page' }, true)
    emit('Network.loadingFinished', { requestId, timestamp: 3, encodedDataLength: 9 }, 'page')
  }
  vi.advanceTimersByTime(4_000)
  await nextTurn()
  received('late', 200, { 'X-Of': 'network' })
  expect(outcomes()).toEqual([['late', 'COMPLETED', 200, null]])
  await networkIsSilent()
  const headers = recorder.of('NETWORK_REQUEST').map(({ responseHeaders }) => responseHeaders)
  expect(headers).toEqual([{ 'x-of': 'network' }, { 'x-of': 'page' }])
})

test('a network process that does not answer is not waited for without end', async () => {
  const { begin, answered, emit, outcomes } = record()
  begin('never', 'Fetch', 'GET')
  answered('never', 200, {}, true)
  emit('Network.loadingFinished', { requestId: 'never', timestamp: 3, encodedDataLength: 9 }, 'page')
  for (const milliseconds of [600, 4_900]) {
    vi.advanceTimersByTime(milliseconds)
    await nextTurn()
    expect(outcomes()).toEqual([])
  }
  vi.advanceTimersByTime(100)
  await nextTurn()
  await nextTurn()
  expect(outcomes()).toEqual([['never', 'COMPLETED', 200, null]])
})

test('what is in flight when the session ends is told once, with what is known of it', () => {
  const { emit, begin, answered, outcomes, recorder, recording } = record()
  begin('stream', 'Fetch')
  answered('stream', 200, { 'Content-Type': 'text/event-stream' })
  emit('Network.dataReceived', { requestId: 'stream', timestamp: 2, dataLength: 7, encodedDataLength: 0 }, 'page')
  expect([...recorder.inFlight.values()]).toMatchObject([
    { status: 200, responseHeaders: { 'content-type': 'text/event-stream' }, responseBytes: 7 },
  ])
  begin('asked', 'XHR', 'GET')
  recording.flush('the browser crashed')
  // The page stays alive until files are saved.
  begin('asked', 'XHR', 'GET')
  emit('Network.loadingFinished', { requestId: 'stream', timestamp: 3, encodedDataLength: 20 }, 'page')
  begin('later', 'XHR', 'GET')
  recording.flush('the browser crashed')
  expect(outcomes()).toEqual([
    ['stream', 'CUT_BY_END', 200, 'the browser crashed'],
    ['asked', 'CUT_BY_END', null, 'the browser crashed'],
    ['later', 'CUT_BY_END', null, 'the browser crashed'],
  ])
  expect(recorder.of('NETWORK_REQUEST')[0]).toMatchObject({ responseBytes: 7, mimeType: 'text/event-stream' })
})
