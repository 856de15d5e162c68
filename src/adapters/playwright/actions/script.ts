import type { ElementHandle, JSHandle } from 'playwright'
import { ACTION_LIMITS } from '../../../ports/action.ts'
import type { ActionValues } from '../../../contract/actions/list.ts'
import { isDeeperThan } from '../../../contract/json-depth.ts'
import type { Json } from '../../../ports/json.ts'
import { Deadline } from '../../../async/deadline.ts'
import { isPlaywrightError, thrownByScript } from '../library/playwright-errors.ts'
import { ActionFailure } from './action-failure.ts'
import type { ActionHandler, ActionSite } from './action-site.ts'
import { answers } from '../cdp/targets/page-answers.ts'
import { elementOf } from './locate.ts'

/** A script whose time is up is ended, where the page does not answer within this time. */
const PROOF_MS = 400

export const evaluate: ActionHandler<ActionValues<'evaluate'>> = async (site, input) => {
  const { expression, arg, target, timeoutMs } = input
  using deadline = new Deadline(site.timeout)
  site.details.note({ expression, ...(arg === null ? {} : { arg: JSON.stringify(arg) }) })
  const element = target === null ? null : await elementOf(site, target)
  const node = element && (await element.elementHandle({ timeout: site.timeout }))
  const running = asScript(site, () => resultOf(site, input, node))
  const taken = await deadline.result(running)
  if (taken !== null) return { result: readJson(taken) }
  throw new ActionFailure('TIMEOUT', await whyLate(site, timeoutMs))
}

interface Written {
  /** Null: it is too long. */
  json: string | null
  length: number
}

async function resultOf(
  site: ActionSite,
  { expression, arg }: ActionValues<'evaluate'>,
  node: ElementHandle | null,
): Promise<Written> {
  const handle: JSHandle<unknown> = await site.page.evaluateHandle(asExpression(expression))
  try {
    // In the page, so that what is too long never leaves it.
    return await handle.evaluate(
      async (value, { on, given, limit }) => {
        const called = typeof value === 'function' ? value(...(on ? [on, given] : [given])) : value
        const json = JSON.stringify(await called) ?? 'null'
        return { json: json.length > limit ? null : json, length: json.length }
      },
      { on: node, given: arg, limit: ACTION_LIMITS.result },
    )
  } finally {
    for (const used of [handle, node]) used?.dispose().catch(() => undefined)
  }
}

/** A function that stands alone would be declared, not returned. */
const asExpression = (text: string) => (/^\s*(async\s+)?function\b/.test(text) ? `(${text})` : text)

/** What came back is of the page's making: it may have a JSON.stringify of its own. */
function readJson({ json, length }: Written): Json {
  if (json === null) {
    const message = `The result takes ${length} characters as JSON; ${ACTION_LIMITS.result} are allowed.`
    throw new ActionFailure('SCRIPT_ERROR', message)
  }
  const result = parsed(json)
  if (isDeeperThan(ACTION_LIMITS.resultDepth, result)) {
    throw new ActionFailure('SCRIPT_ERROR', `The result nests deeper than ${ACTION_LIMITS.resultDepth} levels.`)
  }
  return result
}

function parsed(json: unknown): Json {
  try {
    if (typeof json === 'string') return JSON.parse(json) as Json
  } catch {
    // Said below.
  }
  throw new ActionFailure('SCRIPT_ERROR', 'The result is no JSON: the page has a JSON.stringify of its own.')
}

/** A script that runs on would hold up the page for ever: it is ended. One that a dialog holds up waits for its answer. */
async function whyLate({ page, pages, dialogs, holds }: ActionSite, timeoutMs: number): Promise<string> {
  if (dialogs.openOn(page) || (await answers(page, PROOF_MS, holds))) {
    return `The script was not done within ${timeoutMs} ms: what it waits for did not come.`
  }
  await pages.endScript(page)
  return `The script was not done within ${timeoutMs} ms, and the page did not answer: what ran there was stopped.`
}

/** What a script throws is the page's own; what Playwright says of pages and elements is not. */
async function asScript<T>(site: ActionSite, run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    if (site.page.isClosed() || isPlaywrightError(error, 'timeout', 'scriptless')) throw error
    if (isPlaywrightError(error, 'navigatedAway')) {
      throw new ActionFailure('SCRIPT_ERROR', 'The page navigated while the script ran, which ended it.')
    }
    throw new ActionFailure('SCRIPT_ERROR', thrownByScript(error))
  }
}
