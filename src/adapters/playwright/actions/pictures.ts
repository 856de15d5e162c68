import type { ActionValues } from '../../../ports/actions/list.ts'
import type { ActionHandler, ActionSite } from './action-site.ts'
import { elementOf } from './locate.ts'

const DEFAULT_QUALITY = 80
const FORMATS = {
  PNG: { type: 'png', contentType: 'image/png', extension: 'png' },
  JPEG: { type: 'jpeg', contentType: 'image/jpeg', extension: 'jpg' },
  WEBP: { type: 'webp', contentType: 'image/webp', extension: 'webp' },
} as const

const PAPER = { A3: 'A3', A4: 'A4', A5: 'A5', LETTER: 'Letter', LEGAL: 'Legal', TABLOID: 'Tabloid' } as const

export const screenshot: ActionHandler<ActionValues<'screenshot'>> = async (site, input) => {
  const { page, timeout, signal } = site
  const { type, contentType, extension } = FORMATS[input.format]
  const quality = type === 'png' ? {} : { quality: input.quality ?? DEFAULT_QUALITY }
  site.details.note({ format: input.format, ...(input.fullPage ? { fullPage: true } : {}) })
  const options = { type, ...quality, timeout, signal }
  const element = input.target === null ? null : await elementOf(site, input.target)
  const bytes = element
    ? await element.screenshot(options)
    : await page.screenshot({ ...options, fullPage: input.fullPage })
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
