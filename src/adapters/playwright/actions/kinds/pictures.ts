import type { Locator, Page } from 'playwright'
import type { ActionValues } from '../../../../contract/actions/list.ts'
import { MAX_PICTURE_PIXELS } from '../../../../contract/input/picture-pixels.ts'
import { isPlaywrightError } from '../../library/playwright-errors.ts'
import { ActionFailure } from '../site/action-failure.ts'
import type { ActionHandler } from '../site/action-site.ts'
import { madeFileName } from './made-file-name.ts'
import { Deadline } from '../../../../async/deadline.ts'
import { elementOf } from '../site/locate.ts'

const DEFAULT_QUALITY = 80
const FORMATS = {
  PNG: { type: 'png', contentType: 'image/png', extension: 'png', maxPixels: null },
  JPEG: { type: 'jpeg', contentType: 'image/jpeg', extension: 'jpg', maxPixels: 65_535 },
  WEBP: { type: 'webp', contentType: 'image/webp', extension: 'webp', maxPixels: 16_383 },
} as const

const TOO_LARGE =
  'The browser could not take this picture. One of a whole page may be too large: take what can be seen of it, or an element.'

export const screenshot: ActionHandler<ActionValues<'screenshot'>> = async (site, input) => {
  const { page, timeout, signal } = site
  const { type, contentType, extension } = FORMATS[input.format]
  const quality = type === 'png' ? {} : { quality: input.quality ?? DEFAULT_QUALITY }
  site.details.note({ format: input.format, ...(input.fullPage ? { fullPage: true } : {}) })
  const element = input.target === null ? null : await elementOf(site, input.target)
  const startedAt = performance.now()
  // However long that takes: a few pictures that are too large cost the browser, and with it the session.
  const size = element || input.fullPage ? await pictureSizeOf(page, element, timeout) : null
  if (size) refuseTooLarge(size, input.format)
  const options = { type, ...quality, timeout: Math.max(1, timeout - (performance.now() - startedAt)), signal }
  const taking = element ? element.screenshot(options) : page.screenshot({ ...options, fullPage: input.fullPage })
  const bytes = await taking.catch((error: unknown) => {
    throw isPlaywrightError(error, 'noPicture') ? new ActionFailure('NOT_ACTIONABLE', TOO_LARGE) : error
  })
  // The browser says nothing of a picture that the format has no room for.
  if (bytes.length === 0) throw exceedsFormat(input.format)
  return { file: { kind: 'SCREENSHOT', name: madeFileName('screenshot', extension), contentType, bytes } }
}

/** What cannot be, before the browser draws all of it. Throws ActionFailure: NOT_ACTIONABLE. */
function refuseTooLarge({ width, height }: Size, format: keyof typeof FORMATS): void {
  if (width * height > MAX_PICTURE_PIXELS) throw new ActionFailure('NOT_ACTIONABLE', TOO_LARGE)
  if (Math.max(width, height) > (FORMATS[format].maxPixels ?? Number.POSITIVE_INFINITY)) throw exceedsFormat(format)
}

function exceedsFormat(format: keyof typeof FORMATS): ActionFailure {
  const { maxPixels } = FORMATS[format]
  const most = maxPixels === null ? '' : `: ${format} has room for ${maxPixels} pixels a side. PNG has more`
  return new ActionFailure('NOT_ACTIONABLE', `The picture is too large${most}.`)
}

/**
 * Of an element, or else of the whole page, in device pixels; null: there is none, of which Playwright tells why.
 * Rejects as Playwright does when the time is up, and where the page cannot be measured: no picture is taken then.
 */
async function pictureSizeOf(page: Page, element: Locator | null, timeout: number): Promise<Size | null> {
  using deadline = new Deadline(timeout)
  const box = element?.boundingBox({ timeout }).catch((error: unknown) => {
    if (isPlaywrightError(error, 'timeout')) throw error
    return null
  })
  const known = await deadline.result(Promise.all([sizeOfPage(page, deadline), box]))
  if (!known) throw new Error(`Timeout ${timeout}ms exceeded`)
  const [ofPage, ofElement] = known
  const size = element ? ofElement : ofPage
  if (!ofPage || !size) return null
  return { width: size.width * ofPage.scale, height: size.height * ofPage.scale }
}

interface Size {
  width: number
  height: number
}

/** In CSS pixels, with the device pixels of each. As the browser knows it: scripts may tell other sizes. */
async function sizeOfPage(page: Page, deadline: Deadline): Promise<(Size & { scale: number }) | null> {
  const session = await page.context().newCDPSession(page)
  try {
    const metrics = await deadline.result(session.send('Page.getLayoutMetrics'))
    if (!metrics) return null
    const { cssContentSize: size, cssVisualViewport, visualViewport } = metrics
    return { ...size, scale: visualViewport.clientWidth / cssVisualViewport.clientWidth || 1 }
  } finally {
    // A page that hangs takes no leave.
    session.detach().catch(() => undefined)
  }
}
