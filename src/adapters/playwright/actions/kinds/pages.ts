import type { ActionValues } from '../../../../contract/actions/list.ts'
import { MAX_PICTURE_PIXELS, picturePixels } from '../../../../contract/input/picture-pixels.ts'
import { Deadline } from '../../../../async/deadline.ts'
import { ActionFailure } from '../site/action-failure.ts'
import type { ActionHandler, ActionSite } from '../site/action-site.ts'
import { requireNoDialog } from '../site/dialogs.ts'
import { goTo } from './navigation.ts'

export const openPage: ActionHandler<ActionValues<'openPage'>> = async (site, { url, waitUntil }) => {
  if (url !== null) requireAddress(site, url)
  const page = await site.context.newPage()
  const pageId = await site.pages.newPageIdOf(page)
  if (pageId === null) throw new ActionFailure('PAGE_CLOSED', 'The new page closed at once.')
  site.details.note({ pageId })
  if (url !== null) await goTo({ ...site, page, pageId }, url, waitUntil)
  return { pageId }
}

/** Before a page is opened for nothing. */
function requireAddress(site: ActionSite, url: string): void {
  site.details.note({ url })
  if (!URL.canParse(url)) throw new ActionFailure('INVALID_INPUT', `${JSON.stringify(url)} is no complete URL.`)
  const refusal = site.refuseAddress(url)
  if (refusal !== null) throw new ActionFailure('BLOCKED', `${url} is not opened: it ${refusal}.`)
}

export const closePage: ActionHandler<ActionValues<'closePage'>> = async (site, { runBeforeUnload }) => {
  const { page, timeout, details, dialogs } = site
  details.note({ url: page.url() })
  // What holds up a page need not be answered to be rid of it.
  if (!runBeforeUnload) {
    await page.close()
    return {}
  }
  requireNoDialog(dialogs, page)
  const { promise: ended, resolve } = Promise.withResolvers<'CLOSED' | 'STAYS'>()
  page.once('close', () => resolve('CLOSED'))
  const stop = dialogs.onStay(page, (settled) => void settled.then(() => resolve('STAYS')))
  try {
    await page.close({ runBeforeUnload })
    if ((await Deadline.result(ended, timeout)) !== 'CLOSED') details.note({ closed: false })
  } finally {
    stop()
  }
  return {}
}

export const setViewport: ActionHandler<ActionValues<'setViewport'>> = async (site, { width, height }) => {
  site.details.note({ width, height })
  const { deviceScaleFactor } = site
  if (picturePixels({ width, height }, deviceScaleFactor) > MAX_PICTURE_PIXELS) {
    const message = `Pictures of ${width} × ${height} with a deviceScaleFactor of ${deviceScaleFactor} would have more than 2^29 pixels.`
    throw new ActionFailure('INVALID_INPUT', message)
  }
  await site.page.setViewportSize({ width, height })
  return {}
}
