import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { readAutoAttach } from '../../../src/adapters/playwright/cdp/barrier/auto-attach.ts'
import { RUN } from '../../../src/adapters/playwright/cdp/barrier/release-barrier.ts'
import { FAKE_TURN_MS } from '../../support/time-limits.ts'
import { HOLD, ROOT, scene } from './barrier-scene.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** By a script, which is suspended until the popup runs. */
const OPENED = { opened: true }

describe('a target that several hold', () => {
  test('runs when the last has said so, in whatever order they are told and say it', () => {
    const { autoAttach, attach, run, runs } = scene('a', 'b')
    autoAttach(ROOT.a)
    autoAttach(ROOT.b)
    attach('s1', ROOT.server)
    run('s1')
    attach('a1', ROOT.a)
    run('a1')
    expect(runs()).toEqual([])
    // The second client is notified last, long after the others have released it.
    vi.advanceTimersByTime(500)
    attach('b1', ROOT.b)
    expect(runs()).toEqual([])
    run('b1')
    expect(runs()).toEqual(['run s1', 'run a1', 'run b1'])
    attach('a2', 'a1', { target: 'popup' })
    run('a2')
    expect(runs().at(-1)).toBe('run a2')
  })

  test('is answered to all who have released it before the browser hears of the first', () => {
    const { autoAttach, attach, barrier, sent } = scene('a')
    autoAttach(ROOT.a)
    attach('s1', ROOT.server)
    attach('a1', ROOT.a)
    for (const sessionId of ['s1', 'a1']) {
      const send = () => expect.unreachable('the browser would answer it once more')
      barrier.pass({ method: RUN, sessionId }, send, () => void sent.push(`answered ${sessionId}`))
    }
    expect(sent.slice(-4)).toEqual(['answered s1', 'answered a1', 'forced s1', 'forced a1'])
  })

  test('waits for the server when a client is faster', () => {
    const { autoAttach, attach, run, runs } = scene('a')
    autoAttach(ROOT.a)
    attach('a1', ROOT.a)
    run('a1')
    expect(runs()).toEqual([])
    attach('s1', ROOT.server)
    run('s1')
    expect(runs()).toEqual(['run a1', 'run s1'])
  })

  test('is held below a page by those who asked for it there, and only for the types they named', async () => {
    const { autoAttach, attach, run, runs } = scene('a', 'b')
    attach('s1', ROOT.server, { waiting: false })
    attach('a1', ROOT.a, { waiting: false })
    attach('b1', ROOT.b, { waiting: false })
    autoAttach('s1')
    autoAttach('a1', { ...HOLD, filter: [{ type: 'iframe', exclude: true }, {}] })
    autoAttach('b1', { ...HOLD, filter: [{ type: 'iframe' }] })
    attach('s2', 's1', { target: 'w', type: 'worker' })
    run('s2')
    expect(runs()).toEqual([])
    attach('a2', 'a1', { target: 'w', type: 'worker' })
    run('a2')
    // The worker must first have received both.
    expect(runs()).toEqual([])
    await vi.advanceTimersByTimeAsync(0)
    expect(runs()).toEqual(['run s2', 'run a2'])
  })

  test('does not wait for a client that lets new targets run, or asks for none any more', () => {
    const { autoAttach, attach, run, runs } = scene('a', 'b')
    autoAttach(ROOT.a, { ...HOLD, waitForDebuggerOnStart: false })
    autoAttach(ROOT.b)
    autoAttach(ROOT.b, { ...HOLD, autoAttach: false })
    attach('s1', ROOT.server)
    attach('a1', ROOT.a, { waiting: false })
    run('s1')
    expect(runs()).toEqual(['run s1'])
  })

  test('is not let go by one that does not hold it', () => {
    const { autoAttach, attach, run, runs } = scene('a', 'b')
    autoAttach(ROOT.a)
    attach('s1', ROOT.server)
    attach('b1', ROOT.b, { waiting: false })
    run('b1')
    run('s1')
    expect(runs()).toEqual([])
    attach('a1', ROOT.a)
    run('a1')
    expect(runs()).toEqual(['run b1', 'run s1', 'run a1'])
  })

  test('commands of other kinds pass at once', () => {
    const { autoAttach, attach, ask, sent } = scene('a')
    autoAttach(ROOT.a)
    attach('a1', ROOT.a)
    ask('Page.enable', 'a1')
    expect(sent.at(-1)).toBe('Page.enable a1')
  })
})

describe('a client that is told of tabs, and of pages below them', () => {
  const TABS = { ...HOLD, filter: [{ type: 'page', exclude: true }, {}] }

  test('holds the page of a tab as well, until it lets that go', () => {
    const { autoAttach, attach, run, runs } = scene('a')
    autoAttach(ROOT.a, TABS)
    attach('t1', ROOT.a, { target: 'tab', type: 'tab' })
    attach('s1', ROOT.server)
    run('s1')
    autoAttach('t1', HOLD)
    run('t1')
    expect(runs()).toEqual(['run t1'])
    attach('a1', 't1', { waiting: false })
    run('a1')
    expect(runs()).toEqual(['run t1', 'run s1', 'run a1'])
  })

  test('does not let it go for others', () => {
    const { autoAttach, attach, run, runs } = scene('a', 'b')
    autoAttach(ROOT.a, TABS)
    autoAttach(ROOT.b)
    attach('t1', ROOT.a, { target: 'tab', type: 'tab' })
    attach('b1', ROOT.b)
    attach('s1', ROOT.server)
    run('s1')
    attach('a1', 't1', { waiting: false })
    run('a1')
    vi.advanceTimersByTime(1_000)
    expect(runs()).toEqual([])
    run('b1')
    expect(runs()).toHaveLength(3)
  })
})

describe('a client with a second session with the browser', () => {
  const browser = { target: 'browser', type: 'browser', waiting: false }

  test('holds by that one as well', () => {
    const { autoAttach, attach, run, runs } = scene('a')
    // The server is notified of both, too.
    attach('a', ROOT.server, browser)
    attach('a1', ROOT.a, browser)
    autoAttach('a1')
    attach('s1', ROOT.server)
    run('s1')
    expect(runs()).toEqual([])
    attach('a2', 'a1')
    run('a2')
    expect(runs()).toEqual(['run s1', 'run a2'])
  })

  test('which asks for what is below one page, is the only one to be told of it there', async () => {
    const { autoAttach, ask, attach, run, runs } = scene('a', 'b')
    autoAttach(ROOT.a)
    autoAttach(ROOT.b)
    attach('s1', ROOT.server, { waiting: false })
    autoAttach('s1')
    ask('Target.autoAttachRelated', ROOT.a, { targetId: 'popup', waitForDebuggerOnStart: true })
    attach('a1', ROOT.a, { target: 'w', type: 'worker' })
    attach('s2', 's1', { target: 'w', type: 'worker' })
    run('s2')
    expect(runs()).toEqual([])
    run('a1')
    // The worker must first have received both.
    expect(runs()).toEqual([])
    await vi.advanceTimersByTimeAsync(0)
    expect(runs()).toEqual(['run s2', 'run a1'])
    attach('s3', ROOT.server, { target: 'second' })
    attach('b3', ROOT.b, { target: 'second' })
    run('s3')
    run('b3')
    expect(runs()).toHaveLength(4)
  })
})

test('frames are left to the browser, which tells them to one party after the other', () => {
  const { autoAttach, attach, run, runs, barrier } = scene('a')
  attach('s1', ROOT.server, { waiting: false })
  attach('a1', ROOT.a, { waiting: false })
  autoAttach('s1')
  autoAttach('a1')
  attach('s2', 's1', { target: 'frame', type: 'iframe' })
  run('s2')
  expect(runs()).toEqual(['run s2'])
  // They still share the time.
  vi.advanceTimersByTime(3_000)
  attach('a2', 'a1', { target: 'frame', type: 'iframe' })
  expect(barrier.timeLeft('a2')).toBe(2_000)
  expect(barrier.whenResumed()).toBeNull()
})

describe('a holder that does not say so', () => {
  test('has 5 seconds in all, then its sessions are let go too', () => {
    const { autoAttach, attach, run, runs, barrier } = scene('a')
    autoAttach(ROOT.a)
    attach('s1', ROOT.server)
    run('s1')
    attach('a1', ROOT.a)
    expect(barrier.whenResumed()).not.toBeNull()
    vi.advanceTimersByTime(4_999)
    expect(runs()).toEqual([])
    vi.advanceTimersByTime(1 + FAKE_TURN_MS)
    expect(runs()).toEqual(['forced a1', 'run s1'])
    expect(barrier.whenResumed()).toBeNull()
    // A client notified later finds it running.
    run('a1')
    expect(runs().at(-1)).toBe('run a1')
    expect(vi.getTimerCount()).toBe(0)
  })

  test('is late only once what it has said by then was read', () => {
    const { autoAttach, attach, run, runs } = scene('a')
    autoAttach(ROOT.a)
    attach('s1', ROOT.server)
    run('s1')
    // All timers are due at once after a long turn of this process.
    vi.advanceTimersByTime(1_000)
    attach('a1', ROOT.a)
    vi.advanceTimersByTime(3_999)
    expect(runs()).toEqual([])
    vi.advanceTimersByTime(1)
    run('a1')
    expect(runs()).toEqual(['run s1', 'run a1'])
  })

  test('counts no longer once it has left, or its session has ended', () => {
    const { autoAttach, attach, run, runs, leave } = scene('a', 'b')
    autoAttach(ROOT.a)
    autoAttach(ROOT.b)
    attach('s1', ROOT.server)
    run('s1')
    attach('a1', ROOT.a)
    leave('a')
    expect(runs()).toEqual([])
    // This one had not been notified of it yet.
    leave('b')
    expect(runs()).toEqual(['run s1'])
    expect(vi.getTimerCount()).toBe(0)
  })

  test('and is never told of the target holds it for a second, and the next ones not at all until it is told of one', () => {
    const { autoAttach, attach, run, runs } = scene('a')
    autoAttach(ROOT.a)
    attach('s1', ROOT.server)
    run('s1')
    vi.advanceTimersByTime(1_000 + FAKE_TURN_MS)
    expect(runs()).toEqual(['run s1'])
    attach('s2', ROOT.server, { target: 'second' })
    run('s2')
    expect(runs()).toEqual(['run s1', 'run s2'])
    attach('s3', ROOT.server, { target: 'third' })
    attach('a3', ROOT.a, { target: 'third' })
    run('s3')
    run('a3')
    attach('s4', ROOT.server, { target: 'fourth' })
    run('s4')
    expect(runs().slice(2)).toEqual(['run s3', 'run a3'])
  })

  test('what it had kept goes with it', () => {
    const { autoAttach, attach, run, runs, leave } = scene('a', 'b')
    autoAttach(ROOT.a)
    autoAttach(ROOT.b)
    attach('a1', ROOT.a)
    run('a1')
    leave('a')
    attach('b1', ROOT.b)
    attach('s1', ROOT.server)
    run('s1')
    run('b1')
    expect(runs()).toEqual(['run s1', 'run b1'])
  })
})

describe('a client that asks a popup without an opener, which answers nothing before it runs', () => {
  test('counts as done after 250 ms of silence', () => {
    const { autoAttach, attach, ask, run, runs } = scene('a')
    autoAttach(ROOT.a)
    attach('s1', ROOT.server)
    run('s1')
    attach('a1', ROOT.a)
    vi.advanceTimersByTime(1_000)
    expect(runs()).toEqual([])
    ask('Page.enable', 'a1')
    vi.advanceTimersByTime(200)
    ask('Network.enable', 'a1')
    vi.advanceTimersByTime(249)
    expect(runs()).toEqual([])
    vi.advanceTimersByTime(1 + FAKE_TURN_MS)
    expect(runs()).toEqual(['run s1', 'forced a1'])
  })

  test('holds it as long as it is answered', () => {
    const { autoAttach, attach, ask, run, runs, barrier } = scene('a')
    autoAttach(ROOT.a)
    attach('s1', ROOT.server)
    run('s1')
    attach('a1', ROOT.a)
    // The browser answers these itself, sooner or later.
    ask('Browser.getWindowForTarget', 'a1')
    ask('Target.setAutoAttach', 'a1')
    vi.advanceTimersByTime(1_000)
    ask('Page.enable', 'a1')
    barrier.answered('Page.enable', 'a1')
    vi.advanceTimersByTime(1_000)
    expect(runs()).toEqual([])
    run('a1')
    expect(runs()).toEqual(['run s1', 'run a1'])
  })

  test('a popup with an opener is not such', () => {
    const { autoAttach, attach, ask, run, runs } = scene('a')
    autoAttach(ROOT.a)
    attach('s1', ROOT.server, OPENED)
    run('s1')
    attach('a1', ROOT.a, OPENED)
    ask('Page.enable', 'a1')
    vi.advanceTimersByTime(2_000)
    expect(runs()).toEqual([])
  })
})

test('where no client is, nothing is kept', () => {
  const { attach, run, runs, barrier } = scene()
  attach('s1', ROOT.server)
  expect(barrier.whenResumed()).toBeNull()
  run('s1')
  expect(runs()).toEqual(['run s1'])
  expect(vi.getTimerCount()).toBe(0)
})

test('at the end of a session nothing is held any more', async () => {
  const { autoAttach, attach, run, runs, barrier } = scene('a')
  autoAttach(ROOT.a)
  attach('s1', ROOT.server)
  attach('a1', ROOT.a)
  run('s1')
  const free = barrier.whenResumed()
  barrier.open()
  await free
  expect(runs()).toEqual(['forced a1', 'run s1'])
  attach('s2', ROOT.server, { target: 'second' })
  run('s2')
  expect(runs().at(-1)).toBe('run s2')
})

test.each([
  [{}, 'page', true],
  [{}, 'tab', false],
  [{ filter: [{ type: 'page', exclude: true }, {}] }, 'page', false],
  [{ filter: [{ type: 'page', exclude: true }, {}] }, 'tab', true],
  [{ filter: [{ type: 'worker' }] }, 'page', false],
  [{ filter: [null, { type: 'page' }] }, 'page', true],
  [{ filter: [] }, 'page', false],
])('a filter decides by its first entry that matches: %j for %s', (more, type, pauses) => {
  expect(readAutoAttach({ ...HOLD, ...more })!.pauses(type)).toBe(pauses)
})
