import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { RUN } from '../../../src/adapters/playwright/cdp/barrier/release-barrier.ts'
import { FAKE_TURN_MS } from '../../support/time-limits.ts'
import { ROOT, scene } from './barrier-scene.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** By a script, which is suspended until the popup runs. */
const OPENED = { opened: true }

describe('a popup with an opener', () => {
  test('is let go once: any further release would let go the popup that its script or its opener opens next', () => {
    const { autoAttach, attach, run, runs } = scene('a', 'b')
    autoAttach(ROOT.a)
    autoAttach(ROOT.b)
    attach('a1', ROOT.a, OPENED)
    run('a1')
    attach('s1', ROOT.server, OPENED)
    run('s1')
    attach('b1', ROOT.b, OPENED)
    expect(runs()).toEqual([])
    run('b1')
    // By the session that does not end with a client.
    expect(runs()).toEqual(['run s1'])
  })

  test('is answered to all who have released it', () => {
    const { autoAttach, attach, barrier, sent } = scene('a')
    autoAttach(ROOT.a)
    attach('a1', ROOT.a, OPENED)
    attach('s1', ROOT.server, OPENED)
    for (const sessionId of ['a1', 's1']) {
      const send = () => expect.unreachable('the browser would answer it once more')
      barrier.pass({ method: RUN, sessionId }, send, () => void sent.push(`answered ${sessionId}`))
    }
    expect(sent.slice(-3)).toEqual(['answered a1', 'answered s1', 'forced s1'])
  })

  test('is let go once where somebody does not say so', () => {
    const { autoAttach, attach, run, runs } = scene('a')
    autoAttach(ROOT.a)
    attach('a1', ROOT.a, OPENED)
    attach('s1', ROOT.server, OPENED)
    vi.advanceTimersByTime(5_000 + FAKE_TURN_MS)
    expect(runs()).toEqual(['forced a1'])
    attach('a2', ROOT.a, { ...OPENED, target: 'second' })
    attach('s2', ROOT.server, { ...OPENED, target: 'second' })
    run('s2')
    vi.advanceTimersByTime(5_000 + FAKE_TURN_MS)
    expect(runs()).toEqual(['forced a1', 'run s2'])
  })
})
