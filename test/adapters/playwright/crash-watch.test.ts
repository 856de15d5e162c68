import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { CrashWatch, type CrashReason } from '../../../src/adapters/playwright/cdp/targets/crash-watch.ts'

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }))
afterEach(() => void vi.useRealTimers())

/** Crashes of a browser that tells reasons when the test says so. */
function scene() {
  let tell: (event: CrashReason & { targetId: string }) => void = () => undefined
  const connection = { on: (_: string, listener: typeof tell) => (tell = listener), onClose: () => undefined }
  const { promise: reported, resolve } = Promise.withResolvers<CrashReason | null>()
  const watch = new CrashWatch(connection as never, (_, reason) => resolve(reason))
  return { watch, reported, tell: () => tell({ targetId: 'page', status: 'killed', errorCode: 9 }) }
}

test('the reason of a crash that has come while the server stood still is told', async () => {
  const { watch, reported, tell } = scene()
  watch.crashed('page')
  // In the turn of the event loop in which the time is over.
  setImmediate(tell)
  vi.advanceTimersByTime(1_000)
  expect(await reported).toEqual({ status: 'killed', errorCode: 9 })
})

test('a crash whose reason does not come is told without', async () => {
  const { watch, reported } = scene()
  watch.crashed('page')
  vi.advanceTimersByTime(1_000)
  expect(await reported).toBeNull()
})
