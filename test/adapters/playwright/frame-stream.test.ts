import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { FrameStream, type ScreencastFrame } from '../../../src/adapters/playwright/live-view/frame-stream.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] })
})
afterEach(() => {
  vi.useRealTimers()
})

/**
 * Frames of a page that changes every ten milliseconds, for the given time; returns when the reader received each.
 */
async function read(maxFps: number, forMs: number): Promise<{ at: number; skipped: number }[]> {
  const ended = new AbortController()
  const source = { begun: () => {}, closed: () => {} }
  const options = { maxFps } as ConstructorParameters<typeof FrameStream>[1]
  const stream = new FrameStream(null, options, source, ended.signal)
  const got: { at: number; skipped: number }[] = []
  const reading = (async () => {
    for await (const { skipped } of stream) got.push({ at: performance.now(), skipped })
  })()
  for (let elapsed = 0; elapsed < forMs; elapsed += 10) {
    stream.offer({ at: elapsed } as unknown as ScreencastFrame)
    await vi.advanceTimersByTimeAsync(10)
  }
  await stream.return()
  await reading
  return got
}

test.for([
  [2, 3_000],
  [10, 1_000],
] as const)('a reader that asks for at most %i frames a second gets as many, evenly', async ([maxFps, forMs]) => {
  const got = await read(maxFps, forMs)
  const gaps = got.slice(1).map(({ at }, index) => at - got[index]!.at)
  expect(Math.min(...gaps)).toBeGreaterThanOrEqual(1_000 / maxFps)
  expect(got.length).toBeGreaterThanOrEqual((forMs / 1_000) * maxFps - 1)
  // Frames skipped by the rate limit do not count as dropped.
  expect(got.every(({ skipped }) => skipped === 0)).toBe(true)
})
