import type { Page, Response } from 'playwright'
import type { ActionValues } from '../../../ports/actions/list.ts'
import { ActionFailure } from './action-failure.ts'
import type { ActionEffect, ActionHandler, ActionSite } from './action-site.ts'

type LoadState = ActionValues<'navigate'>['waitUntil']
type PlaywrightState = 'commit' | 'domcontentloaded' | 'load' | 'networkidle'

/** There is none where the page stays as it was. */
const ERROR_PAGE_MS = 500

export const loadStateOf = (state: LoadState) => state.toLowerCase() as PlaywrightState

export const navigate: ActionHandler<ActionValues<'navigate'>> = async (site, { url, waitUntil }) => {
  await goTo(site, site.page, url, waitUntil)
  return {}
}

/** Opens an address in a page and notes how it went. Throws ActionFailure: BLOCKED, INVALID_INPUT, NAVIGATION_FAILED. */
export async function goTo(site: ActionSite, page: Page, url: string, waitUntil: LoadState): Promise<void> {
  const { details, timeout } = site
  details.note({ url })
  if (!URL.canParse(url)) throw new ActionFailure('INVALID_INPUT', `${JSON.stringify(url)} is no complete URL.`)
  const refusal = site.refuseAddress(url)
  if (refusal !== null) throw new ActionFailure('BLOCKED', `${url} is not opened: it ${refusal}.`)
  await loading(site, page, () => page.goto(url, { waitUntil: loadStateOf(waitUntil), timeout, signal: site.signal }))
}

const move =
  (offset: -1 | 1): ActionHandler<ActionValues<'back'>> =>
  async (site, { waitUntil }) => {
    const { page, timeout, signal } = site
    const options = { waitUntil: loadStateOf(waitUntil), timeout, signal }
    const before = page.url()
    const response = await loading(site, page, () => (offset < 0 ? page.goBack(options) : page.goForward(options)))
    if (response === null && page.url() === before) {
      const where = offset < 0 ? 'back' : 'forward'
      throw new ActionFailure(
        'NAVIGATION_FAILED',
        `The history of the page has nothing to go ${where} to from ${before}.`,
      )
    }
    return {}
  }

export const back = move(-1)
export const forward = move(1)

export const reload: ActionHandler<ActionValues<'reload'>> = async (site, { waitUntil }): Promise<ActionEffect> => {
  const { page, timeout, signal } = site
  await loading(site, page, () => page.reload({ waitUntil: loadStateOf(waitUntil), timeout, signal }))
  return {}
}

/** Notes where a navigation ended and what the server answered; explains why it failed. */
async function loading(site: ActionSite, page: Page, go: () => Promise<Response | null>): Promise<Response | null> {
  const stays: Promise<void>[] = []
  const stop = site.dialogs.onStay(page, (settled) => stays.push(settled))
  try {
    const response = await go()
    const finalUrl = page.url()
    site.details.note({ finalUrl, ...(response ? { status: response.status() } : {}) })
    await requireAllowed(site, page, finalUrl)
    return response
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error)
    if (/Download is starting/.test(text)) {
      site.details.note({ download: true })
      return null
    }
    const address = page.isClosed() ? 'the page' : addressOf(page)
    if (stays.length > 0) {
      await Promise.all(stays)
      const message = `The page asked whether to leave it, and the dialog was dismissed: it is still at ${address}.`
      throw new ActionFailure('NAVIGATION_FAILED', message)
    }
    const [net] = /net::ERR_\w+/.exec(text) ?? []
    if (net !== undefined) {
      if (net !== 'net::ERR_ABORTED') await untilErrorShows(page)
      const asked = site.details.members['url']
      const wanted = typeof asked === 'string' ? asked : address
      throw new ActionFailure('NAVIGATION_FAILED', `${wanted} could not be loaded: ${net}.`)
    }
    if (/interrupted by another navigation/.test(text)) {
      throw new ActionFailure('NAVIGATION_FAILED', `Another navigation came between; the page is at ${address}.`)
    }
    if (/Timeout \d+ms exceeded/.test(text)) {
      throw new ActionFailure('TIMEOUT', `The page had not loaded within ${site.timeoutMs} ms; it is at ${address}.`)
    }
    throw error
  } finally {
    stop()
  }
}

/** The browser shows its page of the error a moment later, which would come between the next navigation and its end. */
async function untilErrorShows(page: Page): Promise<void> {
  const shows = () => page.url().startsWith('chrome-error:')
  if (shows()) return
  const options = { timeout: ERROR_PAGE_MS, predicate: shows }
  await page.waitForEvent('framenavigated', options).catch(() => undefined)
}

/** Where the browser shows an error of its own, its address for that says nothing. */
function addressOf(page: Page): string {
  const url = page.url()
  return url.startsWith('chrome-error:') ? 'a page of the browser that tells of an error' : url
}

/** A server may have redirected to where nobody may go: the page does not stay there. */
async function requireAllowed(site: ActionSite, page: Page, url: string): Promise<void> {
  const refusal = /^https?:/.test(url) ? site.refuseAddress(url) : null
  if (refusal === null) return
  await page.goto('about:blank', { timeout: site.timeout })
  throw new ActionFailure('BLOCKED', `It led to ${url}, which ${refusal}.`)
}
