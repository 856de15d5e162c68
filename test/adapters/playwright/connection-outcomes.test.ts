import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { CdpResponse } from '../../../src/adapters/playwright/cdp/protocol/cdp-events.ts'
import { ConnectionOutcomes } from '../../../src/adapters/playwright/network/connection-outcomes.ts'
import { RecorderSet } from '../../../src/adapters/playwright/recorders/recorder-set.ts'
import { TargetRegistry } from '../../../src/adapters/playwright/cdp/targets/target-registry.ts'
import type { ConnectionFailure, ConnectionOutcome, EgressPolicy } from '../../../src/ports/egress/egress.ts'
import { fakeCdpConnection } from './fake-cdp-connection.ts'
import { RecordingRecorder } from './recording-recorder.ts'
import { logger } from './test-pool.ts'

const PORT = 40_000
const HIDDEN = 'net::ERR_SOCKS_CONNECTION_FAILED'
const REFUSED: ConnectionFailure = { code: 'REFUSED', netError: 'net::ERR_CONNECTION_REFUSED', rule: null }
const PRIVATE: ConnectionFailure = { code: 'BLOCKED', netError: 'net::ERR_X', rule: 'private address' }
const UPSTREAM: EgressPolicy = {
  mode: 'OPEN',
  allow: [],
  allowedHosts: null,
  upstream: { url: 'http://proxy.test:1' },
}

const outcome = (members: Partial<ConnectionOutcome> = {}): ConnectionOutcome => ({
  host: 'site.test',
  port: 80,
  startedAt: Date.now(),
  endedAt: Date.now(),
  dnsMs: null,
  connectMs: null,
  peer: null,
  failure: null,
  ...members,
})

beforeEach(() => void vi.useFakeTimers({ now: 1_800_000_000_000 }))
afterEach(() => void vi.useRealTimers())

describe('why a connection failed', () => {
  /** Outcome for a request that begins now, and its time. */
  function asked(outcomes: ConnectionOutcomes, text: string, url = 'http://site.test/a'): string[] {
    const said: string[] = []
    outcomes.explain(text, url, Date.now(), (reported) => said.push(reported))
    return said
  }

  test('is told at once where nothing is hidden', () => {
    expect(asked(new ConnectionOutcomes(null), HIDDEN)).toEqual([HIDDEN])
    expect(asked(new ConnectionOutcomes(PORT), 'net::ERR_CERT_DATE_INVALID')).toEqual(['net::ERR_CERT_DATE_INVALID'])
    expect(asked(new ConnectionOutcomes(PORT), 'net::ERR_CONNECTION_RESET')).toEqual(['net::ERR_CONNECTION_RESET'])
  })

  test('is what the proxy has said, whatever the notation of the host', () => {
    const outcomes = new ConnectionOutcomes(PORT)
    outcomes.received(outcome({ failure: REFUSED }))
    outcomes.received(outcome({ host: 'fd00::1', port: 443, failure: PRIVATE }))
    expect(asked(outcomes, HIDDEN, 'http://SITE.test.:80/')).toEqual(['net::ERR_CONNECTION_REFUSED'])
    expect(asked(outcomes, `Error: ${HIDDEN}`, 'wss://[fd00:0::1]/')).toEqual(['Error: BLOCKED (private address)'])
  })

  test('is waited for, but not for long; then what befell the host before is likeliest', () => {
    const outcomes = new ConnectionOutcomes(PORT)
    outcomes.received(outcome({ failure: REFUSED, endedAt: Date.now() - 60_000 }))
    const late = asked(outcomes, HIDDEN)
    const never = asked(outcomes, HIDDEN, 'http://other.test/')
    outcomes.received(outcome())
    outcomes.received(outcome({ port: 81, failure: PRIVATE }))
    expect([late, never]).toEqual([[], []])
    outcomes.received(outcome({ failure: PRIVATE }))
    expect(late).toEqual(['BLOCKED (private address)'])
    vi.advanceTimersByTime(2_000)
    expect(never).toEqual([HIDDEN])
    const again = asked(outcomes, HIDDEN)
    outcomes.settle()
    expect(again).toEqual(['BLOCKED (private address)'])
    expect(vi.getTimerCount()).toBe(0)
  })

  test('a reset behind a proxy of the user may be just that', () => {
    const outcomes = new ConnectionOutcomes(PORT, UPSTREAM)
    const reset = asked(outcomes, 'net::ERR_CONNECTION_RESET')
    vi.advanceTimersByTime(250)
    expect(reset).toEqual(['net::ERR_CONNECTION_RESET'])
    outcomes.received(
      outcome({ failure: { code: 'UPSTREAM_FAILED', netError: 'net::ERR_TUNNEL_CONNECTION_FAILED', rule: null } }),
    )
    expect(asked(outcomes, 'net::ERR_EMPTY_RESPONSE')).toEqual(['net::ERR_TUNNEL_CONNECTION_FAILED'])
  })

  test('a page that fails without end costs no more than so many timers', () => {
    const outcomes = new ConnectionOutcomes(PORT)
    for (let index = 0; index < 5_000; index += 1) asked(outcomes, HIDDEN, `http://h${index}.test/`)
    expect(vi.getTimerCount()).toBeLessThanOrEqual(1_000)
    outcomes.settle()
  })
})

describe('who answered', () => {
  /** The members that are read from a response. */
  const response = (members: Partial<CdpResponse> = {}) =>
    ({
      url: 'http://site.test/a',
      status: 200,
      headers: {},
      encodedDataLength: 0,
      remoteIPAddress: '127.0.0.1',
      remotePort: PORT,
      connectionId: 7,
      timing: {
        requestTime: 100,
        dnsStart: -1,
        dnsEnd: -1,
        connectStart: 1,
        connectEnd: 31,
        sslStart: 21,
        sslEnd: 31,
        sendStart: 31,
        receiveHeadersEnd: 40,
      },
      ...members,
    }) as CdpResponse

  test('and what of connecting was name resolution, is what the proxy says', () => {
    const outcomes = new ConnectionOutcomes(PORT)
    const peer = { address: '2001:db8::1', port: 80 }
    outcomes.received(outcome({ peer, dnsMs: 12, connectMs: 5 }))
    const first = response()
    outcomes.amend(first, Date.now(), 100)
    expect(first).toMatchObject({ remoteIPAddress: '[2001:db8::1]', remotePort: 80 })
    expect(first.timing).toMatchObject({ dnsStart: 1, dnsEnd: 13, connectStart: 13, connectEnd: 31 })
    // The next request over the same connection, when others have been made.
    outcomes.received(outcome({ peer: { address: '192.0.2.2', port: 80 } }))
    const reused = response({ connectionReused: true })
    outcomes.amend(reused, Date.now(), 100)
    expect(reused.remoteIPAddress).toBe('[2001:db8::1]')
  })

  test('is added later where the proxy had not told by then', () => {
    const outcomes = new ConnectionOutcomes(PORT)
    const late = response()
    expect(outcomes.amend(late, Date.now(), 100)).toBe(false)
    outcomes.received(outcome({ peer: { address: '192.0.2.2', port: 80 }, dnsMs: 4 }))
    expect(outcomes.amendLate(late, Date.now(), 100)).toBe(true)
    expect(late).toMatchObject({ remoteIPAddress: '192.0.2.2', remotePort: 80, timing: { dnsStart: 1, dnsEnd: 5 } })
  })

  test('is unknown behind a proxy of the user, and as the browser says without any', () => {
    const unknown = response()
    new ConnectionOutcomes(PORT).amend(unknown, Date.now(), 100)
    expect(unknown).toMatchObject({ remoteIPAddress: '', remotePort: 0 })
    const direct = response({ remoteIPAddress: '192.0.2.1', remotePort: 80 })
    for (const outcomes of [new ConnectionOutcomes(PORT), new ConnectionOutcomes(null)]) {
      outcomes.amend(direct, Date.now(), 100)
      expect(direct).toMatchObject({ remoteIPAddress: '192.0.2.1', remotePort: 80 })
    }
  })
})

test('a request whose reason is still to come is pending until its entry is written', () => {
  const { connection, emit, attach } = fakeCdpConnection()
  const targets = new TargetRegistry(connection)
  const recorder = new RecordingRecorder()
  const outcomes = new ConnectionOutcomes(PORT)
  const recording = new RecorderSet(connection, targets, recorder, true, '/no/such/folder', logger, undefined, outcomes)
  attach('page', 'page')
  const request = { url: 'http://site.test/a', method: 'GET', headers: {} }
  const wallTime = Date.now() / 1000
  emit(
    'Network.requestWillBeSent',
    { requestId: '1', loaderId: 'l', request, timestamp: 1, wallTime, type: 'Fetch' },
    'page',
  )
  emit('Network.loadingFailed', { requestId: '1', timestamp: 2, errorText: HIDDEN }, 'page')
  vi.advanceTimersByTime(100)
  expect([recorder.inFlight.size, recorder.of('NETWORK_REQUEST').length]).toEqual([1, 0])
  outcomes.received(outcome({ failure: REFUSED }))
  // Its headers may still come, too.
  vi.advanceTimersByTime(600)
  expect(recorder.of('NETWORK_REQUEST')).toMatchObject([{ failure: 'net::ERR_CONNECTION_REFUSED', durationMs: 1000 }])
  expect(recorder.inFlight.size).toBe(0)
  recording.stop()
})
