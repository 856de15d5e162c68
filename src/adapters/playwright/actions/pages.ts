import type { ActionValues } from '../../../ports/actions/list.ts'
import { within } from '../deadline.ts'
import { ActionFailure, type ActionHandler, type ActionSite } from './action-site.ts'
import { goTo } from './navigation.ts'

export const openPage: ActionHandler<ActionValues<'openPage'>> = async (site, { url, waitUntil }) => {
  if (url !== null) requireAddress(site, url)
  const page = await site.context.newPage()
  const pageId = await site.pages.newPageIdOf(page)
  if (pageId === null) throw new ActionFailure('PAGE_CLOSED', 'The new page closed at once.')
  site.details.note({ pageId })
  if (url !== null) await goTo(site, page, url, waitUntil)
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
  const { page, timeout, details } = site
  details.note({ url: page.url() })
  const closed = new Promise<true>((resolve) => page.once('close', () => resolve(true)))
  await page.close({ runBeforeUnload })
  if (runBeforeUnload && (await within(closed, timeout)) === null) details.note({ closed: false })
  return {}
}

export const setViewport: ActionHandler<ActionValues<'setViewport'>> = async (site, { width, height }) => {
  site.details.note({ width, height })
  await site.page.setViewportSize({ width, height })
  return {}
}
