import type { JSHandle } from 'playwright'
import { ACTION_LIMITS } from '../../../ports/action.ts'
import type { ActionValues } from '../../../ports/actions/list.ts'
import type { Json } from '../../../ports/store.ts'
import { ActionFailure, type ActionHandler, type ActionSite } from './action-site.ts'
import { elementOf } from './locate.ts'

export const evaluate: ActionHandler<ActionValues<'evaluate'>> = async (site, { expression, arg, target }) => {
  site.details.note({ expression, ...(arg === null ? {} : { arg: JSON.stringify(arg) }) })
  const element = target === null ? null : await elementOf(site, target)
  const text = await asScript(site, async () => {
    const node = element && (await element.elementHandle({ timeout: site.timeout }))
    const handle: JSHandle<unknown> = await site.page.evaluateHandle(asExpression(expression))
    try {
      // In the page, so that what is too long never leaves it.
      return await handle.evaluate(
        async (value, { on, given, limit }) => {
          const called = typeof value === 'function' ? value(...(on ? [on, given] : [given])) : value
          const json = JSON.stringify(await called) ?? 'null'
          return json.length > limit ? json.length : json
        },
        { on: node, given: arg, limit: ACTION_LIMITS.result },
      )
    } finally {
      for (const used of [handle, node]) used?.dispose().catch(() => undefined)
    }
  })
  if (typeof text === 'number') {
    const message = `The result takes ${text} characters as JSON; ${ACTION_LIMITS.result} are allowed.`
    throw new ActionFailure('SCRIPT_ERROR', message)
  }
  return { result: JSON.parse(text) as Json }
}

/** A function that stands alone would be declared, not returned. */
const asExpression = (text: string) => (/^\s*(async\s+)?function\b/.test(text) ? `(${text})` : text)

/** What a script throws is the page's own; what Playwright says of pages and elements is not. */
async function asScript<T>(site: ActionSite, run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error)
    if (/Timeout \d+ms exceeded|has been closed|Target crashed|Page crashed/.test(text) || site.page.isClosed())
      throw error
    if (/Execution context was destroyed|Cannot find context/.test(text)) {
      throw new ActionFailure('SCRIPT_ERROR', 'The page navigated while the script ran, which ended it.')
    }
    const said = text.replace(/^[a-zA-Z]+\.[a-zA-Z]+: /, '').split('\n')
    const frame = said.find((line) => /^\s+at /.test(line) && !/UtilityScript/.test(line))
    throw new ActionFailure('SCRIPT_ERROR', [said[0], frame?.trim()].filter(Boolean).join(', '))
  }
}
