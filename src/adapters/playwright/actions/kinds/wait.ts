import { setTimeout as pause } from 'node:timers/promises'
import type { ActionValues } from '../../../../contract/actions/list.ts'
import { isPlaywrightError } from '../../library/playwright-errors.ts'
import { ActionFailure } from '../site/action-failure.ts'
import type { ActionHandler, ActionSite } from '../site/action-site.ts'
import { elementOf } from '../site/locate.ts'
import { loadStateOf } from './navigation.ts'

export const wait: ActionHandler<ActionValues<'wait'>> = async (site, input) => {
  const { page, timeout, signal, details } = site
  if (input.target !== null) {
    const state = input.state.toLowerCase() as 'visible' | 'hidden' | 'attached' | 'detached'
    details.note({ state: input.state })
    const wantsGone = state === 'hidden' || state === 'detached'
    // Of a ref that is gone, "gone" is true.
    const element = await elementOf(site, input.target).catch((error: unknown) => {
      if (wantsGone && error instanceof ActionFailure && error.code === 'STALE_REF') return null
      throw error
    })
    if (element) await untilTrue(site, `the element to be ${state}`, () => element.waitFor({ state, timeout, signal }))
  } else if (input.loadState !== null) {
    const state = loadStateOf(input.loadState)
    details.note({ loadState: input.loadState })
    // Whatever can be asked has been committed.
    if (state !== 'commit') {
      await untilTrue(site, `the page to reach ${input.loadState}`, () => page.waitForLoadState(state, { timeout }))
    }
  } else if (input.url !== null) {
    const { url } = input
    details.note({ url })
    await untilTrue(site, `the URL to be ${url}`, () => page.waitForURL(url, { waitUntil: 'commit', timeout }))
    details.note({ finalUrl: page.url() })
  } else if (input.timeMs !== null) {
    details.note({ timeMs: input.timeMs })
    await pause(input.timeMs, undefined, { signal })
  }
  return {}
}

/** What is waited for may just not come true: that is a timeout whatever else Playwright says. */
async function untilTrue(site: ActionSite, what: string, waiting: () => Promise<unknown>): Promise<void> {
  try {
    await waiting()
  } catch (error) {
    if (!isPlaywrightError(error, 'timeout')) throw error
    throw new ActionFailure('TIMEOUT', `Waited ${site.timeoutMs} ms for ${what}; the page is at ${site.page.url()}.`)
  }
}
