import type { Page } from 'playwright'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { ActionDetails, type ActionSite } from '../../../src/adapters/playwright/actions/site/action-site.ts'
import { screenshot } from '../../../src/adapters/playwright/actions/kinds/pictures.ts'

const FULL_PAGE = { format: 'PNG', fullPage: true, quality: null, target: null, timeoutMs: 30_000 } as const

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** A screenshot of a page that says how large it is when the test does. */
function slowPicture() {
  const metrics = Promise.withResolvers<object>()
  const takePicture = vi.fn(() => Promise.resolve(Buffer.from('PNG')))
  const cdp = { send: () => metrics.promise, detach: () => Promise.resolve() }
  const page = { context: () => ({ newCDPSession: () => Promise.resolve(cdp) }), screenshot: takePicture }
  const site = { page: page as unknown as Page, timeout: 30_000, details: new ActionDetails() } as ActionSite
  const sideOf = (side: number) => ({
    cssContentSize: { width: side, height: side },
    cssVisualViewport: { clientWidth: 100 },
    visualViewport: { clientWidth: 1_000 },
  })
  const taking = screenshot(site, FULL_PAGE)
  return { taking, say: (side: number) => metrics.resolve(sideOf(side)), fail: metrics.reject, takePicture }
}

test('a picture is refused however late its size is known: a few that are too large cost the browser', async () => {
  const { taking, say, takePicture } = slowPicture()
  await vi.advanceTimersByTimeAsync(29_000)
  say(2_400)
  await expect(taking).rejects.toMatchObject({ code: 'NOT_ACTIONABLE' })
  expect(takePicture).not.toHaveBeenCalled()
})

test('a picture whose size is known late is taken in the time that is left', async () => {
  const { taking, say, takePicture } = slowPicture()
  await vi.advanceTimersByTimeAsync(29_000)
  say(100)
  expect((await taking).file?.contentType).toBe('image/png')
  expect(takePicture).toHaveBeenCalledWith(expect.objectContaining({ timeout: 1_000 }))
})

test('a picture whose size is not known in time is not taken', async () => {
  const { taking, takePicture } = slowPicture()
  const failure = taking.catch((error: unknown) => error)
  await vi.advanceTimersByTimeAsync(30_000)
  expect(await failure).toMatchObject({ message: 'Timeout 30000ms exceeded' })
  expect(takePicture).not.toHaveBeenCalled()
})

test('a picture whose size cannot be known is not taken', async () => {
  const { taking, fail, takePicture } = slowPicture()
  fail(new Error('Internal error'))
  await expect(taking).rejects.toThrow('Internal error')
  expect(takePicture).not.toHaveBeenCalled()
})
