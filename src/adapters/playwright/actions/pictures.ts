import type { ActionValues } from '../../../ports/actions/list.ts'
import { isPlaywrightError } from '../cdp/playwright-errors.ts'
import { ActionFailure } from './action-failure.ts'
import type { ActionHandler, ActionSite } from './action-site.ts'
import { elementOf } from './locate.ts'

const DEFAULT_QUALITY = 80
const FORMATS = {
  PNG: { type: 'png', contentType: 'image/png', extension: 'png', mostPixels: null },
  JPEG: { type: 'jpeg', contentType: 'image/jpeg', extension: 'jpg', mostPixels: 65_535 },
  WEBP: { type: 'webp', contentType: 'image/webp', extension: 'webp', mostPixels: 16_383 },
} as const

const TOO_LARGE =
  'The browser could not take this picture. One of a whole page may be too large: take what can be seen of it, or an element.'

const PAPER = { A3: 'A3', A4: 'A4', A5: 'A5', LETTER: 'Letter', LEGAL: 'Legal', TABLOID: 'Tabloid' } as const

export const screenshot: ActionHandler<ActionValues<'screenshot'>> = async (site, input) => {
  const { page, timeout, signal } = site
  const { type, contentType, extension, mostPixels } = FORMATS[input.format]
  const quality = type === 'png' ? {} : { quality: input.quality ?? DEFAULT_QUALITY }
  site.details.note({ format: input.format, ...(input.fullPage ? { fullPage: true } : {}) })
  const options = { type, ...quality, timeout, signal }
  const element = input.target === null ? null : await elementOf(site, input.target)
  const taking = element ? element.screenshot(options) : page.screenshot({ ...options, fullPage: input.fullPage })
  const bytes = await taking.catch((error: unknown) => {
    throw isPlaywrightError(error, 'noPicture') ? new ActionFailure('NOT_ACTIONABLE', TOO_LARGE) : error
  })
  // The browser says nothing of a picture that the format has no room for.
  if (bytes.length === 0) {
    const most = mostPixels === null ? '' : `: ${input.format} has room for ${mostPixels} pixels a side. PNG has more`
    throw new ActionFailure('NOT_ACTIONABLE', `The picture is too large${most}.`)
  }
  return { file: { kind: 'SCREENSHOT', name: nameOf('screenshot', extension), contentType, bytes } }
}

export const pdf: ActionHandler<ActionValues<'pdf'>> = async (site: ActionSite, input) => {
  const { format, landscape, printBackground, scale, pageRanges } = input
  site.details.note({ format, landscape, ...(pageRanges === null ? {} : { pageRanges }) })
  const bytes = await site.page.pdf({
    format: PAPER[format],
    landscape,
    printBackground,
    scale,
    ...(pageRanges === null ? {} : { pageRanges }),
  })
  return { file: { kind: 'PDF', name: nameOf('page', 'pdf'), contentType: 'application/pdf', bytes } }
}

/** Sorted by name, they are sorted by time. */
function nameOf(what: string, extension: string): string {
  return `${what}-${new Date().toISOString().replace(/[:.]/g, '-').replace('Z', '')}.${extension}`
}
