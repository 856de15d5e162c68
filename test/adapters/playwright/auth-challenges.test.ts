import { expect, onTestFinished, test } from 'vitest'
import { AuthorizationRedaction } from '../../../src/adapters/playwright/captures/authorization-redaction.ts'
import { TargetRegistry } from '../../../src/adapters/playwright/cdp/targets/target-registry.ts'
import { RecorderSet } from '../../../src/adapters/playwright/recorders/recorder-set.ts'
import { fakeCdpConnection } from './fake-cdp-connection.ts'
import { RecordingRecorder } from './recording-recorder.ts'
import { logger } from './test-pool.ts'

/** Challenges that Playwright meets with the session's credentials, with scripted browser events. */
function record(origin: string | null) {
  const { connection, emit, attach } = fakeCdpConnection()
  const recorder = new RecordingRecorder()
  const recording = new RecorderSet(connection, new TargetRegistry(connection), recorder, true, '/no/such', logger)
  onTestFinished(() => recording.stop())
  if (origin !== null) recording.redact(new AuthorizationRedaction({ origin }))
  attach('page', 'page')
  const request = { url: 'http://site/private', method: 'GET', headers: {}, initialPriority: 'High' }
  const begun = { requestId: 'r', loaderId: 'first', frameId: 'f', timestamp: 1, wallTime: 1, type: 'Fetch', request }
  emit('Network.requestWillBeSent', { ...begun, initiator: { type: 'other' } }, 'page')
  emit('Fetch.requestPaused', { requestId: 'interception', networkId: 'r', request, frameId: 'f' }, 'page')
  const challenge = (source: 'Server' | 'Proxy' = 'Server') => {
    const authChallenge = { source, origin: 'http://site', scheme: 'basic', realm: 'r' }
    emit('Fetch.authRequired', { requestId: 'interception', request, frameId: 'f', authChallenge }, 'page')
  }
  const finish = (status: number) => {
    const response = { url: request.url, status, headers: {}, mimeType: 'text/plain', encodedDataLength: 9 }
    emit('Network.responseReceived', { requestId: 'r', timestamp: 2, type: 'Fetch', response }, 'page')
    emit('Network.loadingFinished', { requestId: 'r', timestamp: 3, encodedDataLength: 9 }, 'page')
    recording.flushRequests('session ended')
  }
  const statuses = () => recorder.of('NETWORK_REQUEST').map(({ status }) => status)
  return { challenge, finish, statuses, recorder }
}

test('the response that required credentials has an entry of its own, and so has the next', async () => {
  const { challenge, finish, statuses, recorder } = record('http://site')
  challenge()
  finish(200)
  await expect.poll(statuses).toEqual([401, 200])
  expect(recorder.faults).toEqual([])
})

test('a second challenge of a request is the response to its credentials', async () => {
  const { challenge, finish, statuses } = record('http://site')
  challenge()
  challenge()
  finish(401)
  await expect.poll(statuses).toEqual([401, 401])
})

test.each([
  ['of a session without credentials', null, 'Server'],
  ['of another origin than that of the credentials', 'http://other', 'Server'],
  ['of a proxy', 'http://site', 'Proxy'],
] as const)('a challenge %s is none', async (_, origin, source) => {
  const { challenge, finish, statuses } = record(origin)
  challenge(source)
  finish(401)
  await expect.poll(statuses).toEqual([401])
})
