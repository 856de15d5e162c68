import type { ElementHandle, JSHandle } from 'playwright'
import { ACTION_LIMITS } from '../../../ports/action.ts'
import type { ActionValues } from '../../../contract/actions/list.ts'
import { isDeeperThan } from '../../../contract/json-depth.ts'
import type { Json } from '../../../ports/json.ts'
import { Deadline } from '../../../async/deadline.ts'
import { isPlaywrightError, thrownByScript } from '../library/playwright-errors.ts'
import { ActionFailure } from './action-failure.ts'
import type { ActionHandler, ActionSite } from './action-site.ts'
import type { Protocol } from 'devtools-protocol'
import { needsPage, NoResult, plainResult } from './plain-result.ts'
import { TargetGone } from '../cdp/protocol/target-gone.ts'
import { answers } from '../cdp/targets/page-answers.ts'
import { elementOf } from './locate.ts'

/** What the browser says of a script whose page was left. */
const LEFT = /Inspected target navigated|Cannot find (default execution )?context|Promise was collected/
const TOO_LARGE = 'The result is too large to process: ask for less of the page.'

/** A script whose time is up is ended, where the page does not answer within this time. */
const PROOF_MS = 400

export const evaluate: ActionHandler<ActionValues<'evaluate'>> = async (site, input) => {
  const { expression, arg, target, timeoutMs } = input
  using deadline = new Deadline(site.timeout)
  site.details.note({ expression, ...(arg === null ? {} : { arg: JSON.stringify(arg) }) })
  const element = target === null ? null : await elementOf(site, target)
  const node = element && (await element.elementHandle({ timeout: site.timeout }))
  const running = asScript(site, () =>
    node ? resultOf(site, input, node).then(readJson) : plainlyRun(site, expression, arg as Json),
  )
  const taken = await deadline.result(running.then((result) => ({ result })))
  if (taken !== null) return taken
  throw new ActionFailure('TIMEOUT', await whyLate(site, timeoutMs))
}

/** Of the objects that a script leaves. */
const OBJECT_GROUP = 'tabwire-evaluate'
/** One level more than may be nested, to tell that there is more. */
const SERIALIZED = { serialization: 'deep', maxDepth: ACTION_LIMITS.resultDepth + 1 } as const
const RUNNING = { awaitPromise: true, userGesture: true, objectGroup: OBJECT_GROUP, serializationOptions: SERIALIZED }

/**
 * Runs a script without anything of the page but what it calls: Playwright's own part in the page would stumble over methods
 * that the page has replaced, and JSON.stringify may be one of them.
 */
async function plainlyRun({ ask }: ActionSite, expression: string, arg: Json): Promise<Json> {
  try {
    // In a block, so that what it declares is its own.
    const script = { ...RUNNING, expression: asBlock(expression) }
    let { result, exceptionDetails } = await ask('Runtime.evaluate', script)
    if (!exceptionDetails && result.type === 'function' && result.objectId !== undefined) {
      const { objectId } = result
      const call = { ...RUNNING, objectId, functionDeclaration: 'function (given) { return this(given) }' }
      ;({ result, exceptionDetails } = await ask('Runtime.callFunctionOn', { ...call, arguments: [{ value: arg }] }))
    }
    if (exceptionDetails) throw new ActionFailure('SCRIPT_ERROR', thrownIn(exceptionDetails))
    if (result.objectId !== undefined && needsPage(result.deepSerializedValue)) {
      const asked = { objectId: result.objectId, functionDeclaration: WRITE_DOWN, returnByValue: true }
      const written = await ask('Runtime.callFunctionOn', asked)
      if (written.exceptionDetails) throw new ActionFailure('SCRIPT_ERROR', thrownIn(written.exceptionDetails))
      const json: unknown = written.result.value ?? 'null'
      return readJson({ json: json as string, length: String(json).length })
    }
    return bounded(plainResult(result.deepSerializedValue, ACTION_LIMITS.resultDepth))
  } catch (error) {
    throw error instanceof NoResult ? new ActionFailure('SCRIPT_ERROR', error.message) : error
  } finally {
    ask('Runtime.releaseObjectGroup', { objectGroup: OBJECT_GROUP }).catch(() => undefined)
  }
}

/** A proxy has no members of its own, and a URL none that can be seen. */
const WRITE_DOWN = 'function () { return JSON.stringify(this) }'

const asBlock = (expression: string) => {
  const text = asExpression(expression)
  return /^\s*\{/.test(text) ? text : `{\n${text}\n}`
}

function bounded(result: Json): Json {
  const { length } = JSON.stringify(result)
  if (length <= ACTION_LIMITS.result) return result
  throw tooLong(length)
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
        const called = typeof value === 'function' ? (on ? value(on, given) : value(given)) : value
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
    throw tooLong(length)
  }
  const result = parsed(json)
  if (isDeeperThan(ACTION_LIMITS.resultDepth, result)) {
    throw new ActionFailure('SCRIPT_ERROR', `The result nests deeper than ${ACTION_LIMITS.resultDepth} levels.`)
  }
  return result
}

const tooLong = (length: number) =>
  new ActionFailure(
    'SCRIPT_ERROR',
    `The result takes ${length} characters as JSON; ${ACTION_LIMITS.result} are allowed.`,
  )

/** What was thrown, and the first place of its own. */
function thrownIn({ text, exception }: Protocol.Runtime.ExceptionDetails): string {
  if (!exception) return text
  const [first = '', ...frames] = (exception.description ?? String(exception.value)).split('\n')
  const frame = frames.find((line) => /^\s+at /.test(line))
  return [exception.subtype === 'error' ? first : `${text} ${first}`, frame?.trim()].filter(Boolean).join(', ')
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
    const said = error instanceof Error ? error.message : ''
    if (/too large to process/.test(said)) throw new ActionFailure('SCRIPT_ERROR', TOO_LARGE)
    if (error instanceof TargetGone) throw new ActionFailure('PAGE_CLOSED', 'The page closed meanwhile.')
    if (error instanceof ActionFailure) throw error
    if (LEFT.test(said) || isPlaywrightError(error, 'navigatedAway')) {
      throw new ActionFailure('SCRIPT_ERROR', 'The page navigated while the script ran, which ended it.')
    }
    throw new ActionFailure('SCRIPT_ERROR', thrownByScript(error))
  }
}
