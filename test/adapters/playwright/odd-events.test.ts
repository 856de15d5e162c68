import { expect, onTestFinished, test, vi } from 'vitest'
import { RecorderSet } from '../../../src/adapters/playwright/recorders/recorder-set.ts'
import { TargetRegistry } from '../../../src/adapters/playwright/cdp/targets/target-registry.ts'
import { fakeCdpConnection } from './fake-cdp-connection.ts'
import { RecordingRecorder } from './recording-recorder.ts'
import { logger } from './test-pool.ts'

/** A recording of a page and its worker with scripted browser events. */
function record() {
  const { connection, emit, attach } = fakeCdpConnection()
  const targets = new TargetRegistry(connection)
  const recorder = new RecordingRecorder()
  const recording = new RecorderSet(connection, targets, recorder, true, '/no/such/folder', logger)
  onTestFinished(() => recording.stop())
  attach('page', 'page')
  attach('worker', 'worker', 'page')
  return { emit, recorder, recording }
}

test.each([
  ['Uncaught', 'a', 'Uncaught a'],
  ['Uncaught (in promise)', 'in', 'Uncaught (in promise) in'],
  ['Uncaught (in promise)', 'promise)', 'Uncaught (in promise) promise)'],
  ['Uncaught Error: told already', 'Error: told already', 'Uncaught Error: told already'],
])('of what was thrown nothing is lost or said twice: %s, %s', (text, value, expected) => {
  const { emit, recorder } = record()
  const exceptionDetails = { text, exception: { type: 'string', value }, lineNumber: 0, columnNumber: 0 }
  for (const source of ['page', 'worker']) emit('Runtime.exceptionThrown', { timestamp: 1, exceptionDetails }, source)
  expect(recorder.of('CONSOLE_MESSAGE')).toMatchObject([
    { text: expected, level: 'ERROR', source: 'EXCEPTION' },
    { text: expected, level: 'ERROR', source: 'EXCEPTION' },
  ])
})

test.each([
  ['HEAD', 200, { 'Content-Length': '5' }, {}, null],
  ['GET', 204, {}, {}, null],
  ['GET', 304, {}, {}, null],
  ['POST', 400, { 'Content-Length': '0' }, {}, null],
  ['GET', 200, { 'Content-Length': '5' }, {}, 'net::ERR_ABORTED'],
  ['HEAD', 200, {}, { corsErrorStatus: { corsError: 'Disallowed' } }, 'net::ERR_ABORTED (CORS: Disallowed)'],
])(
  'an answer that has no body has not failed for the lack of it: %s, %d, %o',
  (method, status, headers, why, failure) => {
    const { emit, recorder } = record()
    const request = { url: 'http://site/x', method, headers: {} }
    const shared = { requestId: '1', loaderId: 'l', timestamp: 1, type: 'Fetch' }
    emit('Network.requestWillBeSent', { ...shared, wallTime: 1, request }, 'page')
    const response = { url: request.url, status, headers, encodedDataLength: 9 }
    emit('Network.responseReceived', { ...shared, response, hasExtraInfo: false }, 'page')
    emit('Network.loadingFailed', { ...shared, errorText: 'net::ERR_ABORTED', ...why }, 'page')
    expect(recorder.of('NETWORK_REQUEST')).toMatchObject([{ status, failure }])
  },
)

test('a WebSocket that is open when the session ends is closed by it, once', () => {
  const { emit, recorder, recording } = record()
  emit('Network.webSocketCreated', { requestId: '1', url: 'ws://site/x' }, 'page')
  emit('Network.webSocketFrameSent', { requestId: '1', response: { opcode: 1, mask: true, payloadData: 'x' } }, 'page')
  recording.flush('session ended')
  emit('Network.webSocketClosed', { requestId: '1' }, 'page')
  expect(recorder.of('WEB_SOCKET_CLOSED')).toMatchObject([{ error: 'session ended', framesSent: 1, pageId: 'p1' }])
})

test('holes of an array are shown', () => {
  const { emit, recorder } = record()
  const log = (description: string, overflow: boolean, ...names: string[]) => {
    const properties = names.map((name) => ({ name, type: 'number', value: name }))
    const preview = { type: 'object', subtype: 'array', description, overflow, properties }
    const args = [{ type: 'object', subtype: 'array', description, preview }]
    emit('Runtime.consoleAPICalled', { type: 'log', args, executionContextId: 1, timestamp: 1 }, 'page')
  }
  log('Array(4)', false, '1', '3')
  log('Array(5)', false, '0', '3', 'name')
  log('Array(9)', false)
  log('Array(9)', true, '0', '1')
  expect(recorder.texts()).toEqual([
    '[empty, 1, empty, 3]',
    '[0, empty × 2, 3, empty, name: name]',
    '[empty × 9]',
    '[0, 1, …]',
  ])
})

test.each(['../../etc/passwd', '/etc/passwd', 'a/b', '..', '.', '', 'a\0b', 'x'.repeat(101)])(
  'a download whose guid is no plain name is not looked for: %j',
  async (guid) => {
    const { emit, recorder, recording } = record()
    const saveFile = vi.spyOn(recorder, 'saveFile').mockResolvedValue({ artifactId: 'a', failure: null })
    for (const name of [guid, '1b2c-3d']) {
      emit('Browser.downloadWillBegin', { guid: name, frameId: 'f', url: 'http://site/x', suggestedFilename: 'x' })
      emit('Browser.downloadProgress', { guid: name, state: 'completed', receivedBytes: 1, totalBytes: 1 })
    }
    expect(saveFile.mock.calls.length).toBe(1)
    await expect(saveFile.mock.calls[0]![0].open()).rejects.toMatchObject({ path: '/no/such/folder/1b2c-3d' })
    await recording.finishDownloads(1_000)
  },
)
