import { defineAction } from './action-kind.ts'
import { field } from '../input/input-field.ts'
import { waitUntil } from './navigate.ts'
import { timeoutMs } from './target.ts'

export const openPage = defineAction(
  'OPEN_PAGE',
  'OpenPageInput',
  'Opens a new page; the steps after it act on it. details.pageId is its id.',
  {
    url: field.text('URL to open in it, under the rules of navigate. Default: about:blank.', { max: 8000 }),
    waitUntil,
    timeoutMs,
  },
)

export const closePage = defineAction(
  'CLOSE_PAGE',
  'ClosePageInput',
  'Closes the page, also one that hangs or that a dialog holds up; the steps after it act on the oldest that is left.',
  {
    runBeforeUnload: field.flagOr('True: let the page ask whether to leave it; it may then stay open.', false),
    timeoutMs,
  },
)
