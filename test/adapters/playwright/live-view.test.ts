import { readFileSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { LiveView } from '../../../src/adapters/playwright/live-view/live-view.ts'
import { jpegSize } from '../../../src/adapters/playwright/live-view/jpeg-size.ts'
import { TargetRegistry } from '../../../src/adapters/playwright/cdp/targets/target-registry.ts'
import type { PictureOptions } from '../../../src/ports/browser/live-view.ts'
import { NO_DEADLINE } from '../../support/time-limits.ts'
import { startLiveSite, type LiveSite } from '../../support/site-live.ts'
import { take } from '../../support/take-steps.ts'
import { fakeCdpConnection } from './fake-cdp-connection.ts'
import { logger, startTestPool, type TestPool } from './test-pool.ts'

const OPTIONS: PictureOptions = { maxWidth: 320, maxHeight: null, quality: 50, maxFps: 60 }

/** A live view of a simulated browser: one page, and the commands sent to it. */
async function scripted() {
  const fake = fakeCdpConnection()
  const targets = new TargetRegistry(fake.connection)
  const starting = targets.start()
  await expect.poll(() => fake.sent).toHaveLength(1)
  fake.answer('Target.attachToBrowserTarget', { sessionId: 'browser' })
  await expect.poll(() => fake.sent).toHaveLength(2)
  fake.answer('Target.setDiscoverTargets', {})
  await starting
  const ignore = () => undefined
  const observer = {
    pageOpened: ignore,
    pageClosed: ignore,
    pageCrashed: ignore,
    sessionEnded: ignore,
    pagesChanged: ignore,
  }
  targets.assign(observer, false)
  const typing = { typed: () => Promise.resolve(), moved: ignore, inputComes: () => Promise.resolve() }
  const view = new LiveView(fake.connection, targets, typing, logger)
  fake.attach('one', 'page')
  fake.sent.length = 0
  const sentMethods = () => fake.sent.map((text) => /"method":"([^"]+)"/.exec(text)![1])
  return {
    ...fake,
    targets,
    view,
    sentMethods,
    /** Commands sent since the last call, once there are that many. */
    async reported(count: number) {
      await expect.poll(() => sentMethods().length).toBeGreaterThanOrEqual(count)
      return sentMethods().splice(0, fake.sent.splice(0).length)
    },
    frame(sessionId: string, number = 1) {
      const metadata = { deviceWidth: 640, deviceHeight: 400, timestamp: number }
      fake.emit('Page.screencastFrame', { data: `frame ${number}`, metadata, sessionId: number }, sessionId)
    },
    end() {
      view.endWatching()
      targets.dispose()
    },
  }
}

describe('one picture for all who want it alike', () => {
  test('begins with the first reader and ends with the last', async () => {
    const { view, reported, answer, frame, sent, end } = await scripted()
    const first = view.watch('p1', OPTIONS, NO_DEADLINE)
    const second = view.watch(null, OPTIONS, NO_DEADLINE)
    expect(sent).toEqual([])
    const reads = [first.next(), second.next()]
    expect(await reported(1)).toEqual(['Target.attachToTarget'])
    answer('Target.attachToTarget', { sessionId: 'cast' })
    expect(await reported(1)).toEqual(['Page.startScreencast'])
    frame('cast')
    expect((await Promise.all(reads)).map(({ value }) => value?.jpeg)).toEqual(['frame 1', 'frame 1'])
    expect(await reported(1)).toEqual(['Page.screencastFrameAck'])
    await first.return!()
    // A late viewer gets the current frame, even if nothing moves.
    const third = view.watch('p1', OPTIONS, NO_DEADLINE)
    expect((await third.next()).value).toMatchObject({ jpeg: 'frame 1', at: 1000, skipped: 0 })
    await second.return!()
    expect(sent).toEqual([])
    await third.return!()
    expect(await reported(2)).toEqual(['Page.stopScreencast', 'Target.detachFromTarget'])
    end()
  })

  test('ends also for one who leaves while it begins, or waits for a frame', async () => {
    const { view, reported, answer, end } = await scripted()
    const leaving = new AbortController()
    const reader = view.watch('p1', OPTIONS, leaving.signal)
    const reading = reader.next()
    expect(await reported(1)).toEqual(['Target.attachToTarget'])
    leaving.abort()
    expect(await reading).toEqual({ done: true, value: undefined })
    answer('Target.attachToTarget', { sessionId: 'cast' })
    expect(await reported(2)).toEqual(['Page.stopScreencast', 'Target.detachFromTarget'])
    end()
  })

  test('is another one for another size', async () => {
    const { view, reported, answer, end } = await scripted()
    const readers = [OPTIONS, { ...OPTIONS, maxWidth: null, maxFps: 1 }].map((options) => {
      const reader = view.watch('p1', options, NO_DEADLINE)
      void reader.next()
      return reader
    })
    expect(await reported(2)).toEqual(['Target.attachToTarget', 'Target.attachToTarget'])
    answer('Target.attachToTarget', { sessionId: 'cast 2' })
    expect(await reported(1)).toEqual(['Page.startScreencast'])
    for (const reader of readers) await reader.return!()
    end()
  })
})

describe('few frames', () => {
  afterEach(() => {
    vi.useRealTimers()
  })

  test('spare the browser those between, and the newest comes all the same', async () => {
    const { view, reported, answer, frame, sent, end } = await scripted()
    const reader = view.watch('p1', { ...OPTIONS, maxFps: 2 }, NO_DEADLINE)
    const reading = reader.next()
    await reported(1)
    answer('Target.attachToTarget', { sessionId: 'cast' })
    await reported(1)
    vi.useFakeTimers()
    for (const number of [1, 2, 3]) frame('cast', number)
    expect((await reading).value?.jpeg).toBe('frame 3')
    expect(sent).toEqual([])
    await vi.advanceTimersByTimeAsync(500)
    // The browser has been silent since, despite changes: a restart shows them.
    expect(await reported(2)).toEqual(['Page.stopScreencast', 'Page.startScreencast'])
    frame('cast', 4)
    await vi.advanceTimersByTimeAsync(500)
    expect(await reported(1)).toEqual(['Page.screencastFrameAck'])
    await reader.return!()
    end()
  })
})

describe('a page that the browser does not show yet', () => {
  afterEach(() => {
    vi.useRealTimers()
  })

  test('is shown once it does, and is asked for no more when nobody looks', async () => {
    const { view, reported, answer, refuse, frame, sent, end } = await scripted()
    const reader = view.watch('p1', OPTIONS, NO_DEADLINE)
    const reading = reader.next()
    await reported(1)
    answer('Target.attachToTarget', { sessionId: 'cast' })
    vi.useFakeTimers()
    expect(await reported(1)).toEqual(['Page.startScreencast'])
    for (let times = 0; times < 3; times += 1) {
      refuse('Page.startScreencast')
      await vi.advanceTimersByTimeAsync(100)
      expect(await reported(2)).toEqual(['Page.stopScreencast', 'Page.startScreencast'])
    }
    frame('cast')
    expect((await reading).value?.jpeg).toBe('frame 1')
    refuse('Page.startScreencast')
    await reader.return!()
    expect(await reported(3)).toEqual(['Page.screencastFrameAck', 'Page.stopScreencast', 'Target.detachFromTarget'])
    await vi.advanceTimersByTimeAsync(1_000)
    expect(sent).toEqual([])
    end()
  })
})

describe('a change that the browser forgot, as it waited for answers', () => {
  afterEach(() => {
    vi.useRealTimers()
  })

  test('shows once the page stands still', async () => {
    const { view, reported, answer, emit, sent, end } = await scripted()
    const reader = view.watch('p1', OPTIONS, NO_DEADLINE)
    const reading = reader.next()
    await reported(1)
    answer('Target.attachToTarget', { sessionId: 'cast' })
    await reported(1)
    vi.useFakeTimers()
    const show = (data: string) => {
      const metadata = { deviceWidth: 640, deviceHeight: 400, timestamp: Date.now() / 1000 }
      emit('Page.screencastFrame', { data, metadata, sessionId: 1 }, 'cast')
    }
    show('one')
    await reading
    await vi.advanceTimersByTimeAsync(1_000)
    // With one frame at a time nothing is lost.
    expect(await reported(1)).toEqual(['Page.screencastFrameAck'])
    answer('Page.screencastFrameAck', {})
    const next = reader.next()
    for (const data of ['two', 'three', 'four']) show(data)
    expect((await next).value?.jpeg).toBe('four')
    expect(await reported(3)).toEqual(Array.from({ length: 3 }, () => 'Page.screencastFrameAck'))
    // Until a response has been read, it is unknown which changes it missed.
    await vi.advanceTimersByTimeAsync(1_000)
    expect(sent).toEqual([])
    answer('Page.screencastFrameAck', {})
    await vi.advanceTimersByTimeAsync(200)
    expect(await reported(2)).toEqual(['Page.stopScreencast', 'Page.startScreencast'])
    // Nothing was lost this time, and the reader gets no extra frame.
    const last = reader.next()
    show('four')
    await vi.advanceTimersByTimeAsync(1_000)
    expect(await reported(1)).toEqual(['Page.screencastFrameAck'])
    expect(sent).toEqual([])
    show('five')
    expect((await last).value).toMatchObject({ jpeg: 'five', skipped: 0 })
    await reader.return!()
    end()
  })
})

describe('the page in front', () => {
  test('is the one that was brought there', async () => {
    const { view, targets, attach, reported, answer, end } = await scripted()
    attach('two', 'page')
    expect(targets.frontPageId()).toBe('p2')
    const reader = view.watch(null, OPTIONS, NO_DEADLINE)
    void reader.next()
    await reported(1)
    answer('Target.attachToTarget', { sessionId: 'cast of two' })
    await reported(1)
    targets.broughtToFront('target of one')
    expect(targets.frontPageId()).toBe('p1')
    expect((await reported(3)).toSorted()).toEqual([
      'Page.stopScreencast',
      'Target.attachToTarget',
      'Target.detachFromTarget',
    ])
    await reader.return!()
    end()
  })
})

describe('with a browser', () => {
  let pool: TestPool
  let site: LiveSite

  beforeAll(async () => {
    site = await startLiveSite()
    pool = await startTestPool()
  })

  afterAll(async () => {
    await pool.close()
    await site.close()
  })

  test('goes on when a page crashes, with a page that comes after it', async () => {
    const { session, recorder } = await pool.start()
    await session.open(`${site.url}/red`, NO_DEADLINE)
    const frames = session.watch(null, OPTIONS, NO_DEADLINE)
    expect((await frames.next()).value?.pageId).toBe('p1')
    const renderers = pool
      .processes()
      .filter((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('--type=renderer'))
    for (const pid of renderers) process.kill(pid, 'SIGKILL')
    await expect.poll(() => recorder.of('PAGE_CRASHED')).toHaveLength(1)
    expect(await take(session, { openPage: { url: `${site.url}/blue` } })).toMatchObject({ error: null, pageId: 'p2' })
    for (;;) {
      const { value, done } = await frames.next()
      expect(done).toBe(false)
      if (value?.pageId === 'p2') break
    }
    const reading = frames.next()
    await session.close(2_000)
    for (let last = await reading; !last.done; last = await frames.next());
  })

  test('shows a page beside its video', async () => {
    const { session } = await pool.start({ record: ['VIDEO'] })
    await session.open(`${site.url}/animation`, NO_DEADLINE)
    const frames = session.watch('p1', OPTIONS, NO_DEADLINE)
    for (let count = 0; count < 5; count += 1) expect((await frames.next()).done).toBe(false)
    await frames.return!()
    await session.close(2_000)
  })
})

describe('the size of a picture', () => {
  test('stands in it', () => {
    const bytes = [0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 2, 0xff, 0xc4, 0, 3, 9, 0xff, 0xc2, 0, 11, 8, 1, 2, 3, 4, 1, 0]
    expect(jpegSize(Buffer.from(bytes).toString('base64'))).toEqual({ width: 772, height: 258 })
  })

  test.each([
    ['', 'nothing'],
    ['iVBORw0KGgo=', 'a PNG'],
    [Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0xff, 0xff]).toString('base64'), 'one that is cut'],
  ])('does not in %j: %s', (base64) => {
    expect(jpegSize(base64)).toBeNull()
  })
})
