import { defineAction } from './action-kind.ts'
import { field, type EnumDefinition } from '../input/input-field.ts'
import { optionalTarget, timeoutMs } from './target.ts'

const IMAGE_FORMAT: EnumDefinition<'PNG' | 'JPEG' | 'WEBP'> = {
  enumName: 'ImageFormat',
  description: 'Image format.',
  values: {
    PNG: 'Lossless.',
    JPEG: 'Lossy, small. Up to 65535 pixels a side.',
    WEBP: 'Lossy, smaller. Up to 16383 pixels a side.',
  },
}

export const screenshot = defineAction(
  'SCREENSHOT',
  'ScreenshotInput',
  'Takes a screenshot of the viewport, the whole page, or an element, and stores it as an artifact.',
  {
    target: optionalTarget('Only this element. Default: the page.'),
    fullPage: field.flagOr('True: the whole page, beyond the viewport. Not allowed together with a target.', false),
    format: field.choiceOr('The format.', IMAGE_FORMAT, 'PNG'),
    quality: field.wholeNumber('Of JPEG and WEBP; absent: 80. Not for PNG.', 0, 100),
    timeoutMs,
  },
  ({ target, fullPage, format, quality }) => {
    if (target !== null && fullPage) return { code: 'CONFLICT', message: 'must not have both target and fullPage' }
    return format === 'PNG' && quality !== null ? { code: 'CONFLICT', message: 'PNG has no quality' } : null
  },
)
