import type { Page, Response } from 'playwright'
import type { ActionValues } from '../../../../contract/actions/list.ts'
import { Deadline } from '../../../../async/deadline.ts'
import { isPlaywrightError, netErrorIn } from '../../library/playwright-errors.ts'
import { DocumentStatus } from './document-status.ts'
import { ActionFailure } from '../site/action-failure.ts'
import { CANCELED, type OwnNavigation } from '../../network/navigation-watch.ts'
import type { ActionEffect, ActionHandler, ActionSite } from '../site/action-site.ts'

type LoadState = ActionValues<'navigate'>['waitUntil']

const PLAYWRIGHT_STATES = {
  COMMIT: 'commit',
  DOM_CONTENT_LOADED: 'domcontentloaded',
  LOAD: 'load',
  NETWORK_IDLE: 'networkidle',
} as const satisfies Record<LoadState, string>

/** There is none where the page stays as it was. */
const ERROR_PAGE_MS = 500
/** Where no cookie is from. */
const NOWHERE = 'http://nowhere.invalid/'
/** As Playwright says it. */
const INTERRUPTED = 'interrupted by another navigation'

export const loadStateOf = (state: LoadState) => PLAYWRIGHT_STATES[state]

export const navigate: ActionHandler<ActionValues<'navigate'>> = async (site, { url, waitUntil }) => {
  await goTo(site, url, waitUntil)
  return {}
}

/**
 * Opens an address in a page and notes how it went. Throws ActionFailure: BLOCKED, INVALID_INPUT, NAVIGATION_FAILED,
 * NAVIGATION_INTERRUPTED.
 */
export async function goTo(site: ActionSite, url: string, waitUntil: LoadState): Promise<void> {
  const { details, page, pageId, timeout } = site
  details.note({ url })
  if (!URL.canParse(url)) throw new ActionFailure('INVALID_INPUT', `${JSON.stringify(url)} is no complete URL.`)
  const refusal = site.refuseAddress(url)
  if (refusal !== null) throw new ActionFailure('BLOCKED', `${url} is not opened: it ${refusal}.`)
  const options = { waitUntil: loadStateOf(waitUntil), timeout, signal: site.signal }
  if (pageId === null) throw new ActionFailure('PAGE_CLOSED', 'The page is not open.')
  using own = site.follow(pageId, url)
  await loading(site, page, async () => {
    using deadline = new Deadline(timeout, [site.signal])
    try {
      await page.goto(url, options)
    } catch (error) {
      if (netErrorIn(error) !== CANCELED && !isPlaywrightError(error, 'interrupted')) throw error
      await untilArrived(site, own, deadline, error)
      const { waitUntil: state, signal } = options
      if (state !== 'commit') await page.waitForLoadState(state, { timeout: Math.max(1, deadline.remainingMs), signal })
    }
    if (own.isReplaced) throw new Error(INTERRUPTED)
    return own.status
  })
}

/**
 * Playwright gives up when any document is shown meanwhile, such as one that the page before had asked for, and does not
 * say what canceled a navigation: what became of it is asked here.
 */
async function untilArrived(site: ActionSite, own: OwnNavigation, deadline: Deadline, error: unknown): Promise<void> {
  await untilReceived(site)
  const isCanceled = netErrorIn(error) === CANCELED
  for (;;) {
    const { timesAsked } = own
    // What became no document may not be told as failed; what was asked for again is.
    const isOver = isCanceled && timesAsked <= 1
    const fate = isOver ? { kind: 'FAILED' as const, netError: CANCELED } : await deadline.result(own.settled)
    site.signal.throwIfAborted()
    if (fate === null) throw new Error(`Timeout ${site.timeout}ms exceeded`, { cause: error })
    if (fate.kind === 'ARRIVED') return await untilReceived(site)
    if (fate.kind === 'REPLACED') break
    if (fate.netError === CANCELED) {
      await untilReceived(site)
      await whileOpen(site, deadline, own.decided)
      if (own.timesAsked === timesAsked && own.rivalEnded !== null) {
        await whileOpen(site, deadline, own.rivalEnded)
        if (own.timesAsked === timesAsked) break
      }
      if (own.timesAsked !== timesAsked) continue
    }
    throw isCanceled ? error : new Error(fate.netError, { cause: error })
  }
  throw new Error(INTERRUPTED, { cause: error })
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
async function loading<Answer extends Response | number | null>(
  site: ActionSite,
  page: Page,
  go: () => Promise<Answer>,
): Promise<Answer | null> {
  const stays: Promise<void>[] = []
  const stop = site.dialogs.onStay(page, (settled) => stays.push(settled))
  const answered = new DocumentStatus(page)
  try {
    const response = await go()
    const finalUrl = page.url()
    const status = typeof response === 'number' ? response : response?.status()
    site.details.note({ finalUrl, ...(status === undefined ? {} : { status }) })
    await requireAllowed(site, page, finalUrl)
    return response
  } catch (error) {
    if (isPlaywrightError(error, 'download')) {
      await untilReceived(site)
      if (answered.isError) {
        site.details.note({ status: answered.last })
        const message = `The server responded with ${answered.last} to what would be a download: nothing was downloaded.`
        throw new ActionFailure('NAVIGATION_FAILED', message)
      }
      site.details.note({ download: true })
      return null
    }
    const address = page.isClosed() ? 'the page' : addressOf(page)
    if (stays.length > 0) {
      await Promise.all(stays)
      const message = `The page asked whether to leave it, and the dialog was dismissed: it is still at ${address}.`
      throw new ActionFailure('NAVIGATION_FAILED', message)
    }
    const net = netErrorIn(error)
    if (net !== null) {
      if (net !== 'net::ERR_ABORTED') await untilErrorShows(page)
      const asked = site.details.members['url']
      const wanted = typeof asked === 'string' ? asked : address
      throw new ActionFailure('NAVIGATION_FAILED', `${wanted} could not be loaded: ${net}.`)
    }
    if (isPlaywrightError(error, 'interrupted')) {
      await untilReceived(site)
      const finalUrl = page.url()
      site.details.note({ finalUrl })
      const message = `Another navigation of the page replaced this one: the page is at ${addressOf(page)}. Run the step again.`
      throw new ActionFailure('NAVIGATION_INTERRUPTED', message)
    }
    if (isPlaywrightError(error, 'timeout')) {
      throw new ActionFailure('TIMEOUT', `The page had not loaded within ${site.timeoutMs} ms; it is at ${address}.`)
    }
    throw error
  } finally {
    stop()
    answered.stop()
  }
}

/** Playwright hears what the browser has told so far before the answer to what it asks now. */
async function untilReceived({ context, signal }: ActionSite): Promise<void> {
  await Deadline.race(context.cookies(NOWHERE), signal)
}

/** Of a page that is gone the browser tells nothing more. */
async function whileOpen({ page, signal }: ActionSite, deadline: Deadline, work: Promise<void>): Promise<void> {
  const gone = Promise.withResolvers<void>()
  const leave = () => gone.resolve()
  page.once('close', leave)
  page.once('crash', leave)
  try {
    if (!page.isClosed()) await deadline.result(Promise.race([work, gone.promise]))
  } finally {
    page.off('close', leave)
    page.off('crash', leave)
  }
  signal.throwIfAborted()
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
