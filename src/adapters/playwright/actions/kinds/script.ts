import { randomUUID } from 'node:crypto'
import type { Protocol } from 'devtools-protocol'
import { ACTION_LIMITS } from '../../../../ports/browser/action.ts'
import type { ActionValues } from '../../../../contract/actions/list.ts'
import type { Json } from '../../../../ports/base/json.ts'
import { Deadline } from '../../../../async/deadline.ts'
import { objectIdOf } from '../../library/object-id.ts'
import { ActionFailure } from '../site/action-failure.ts'
import type { ActionHandler, ActionSite } from '../site/action-site.ts'
import { isTooLargeResult } from '../../cdp/pipe/oversized-message.ts'
import { BrowserGone, PageCrashed, TargetGone } from '../../cdp/protocol/target-gone.ts'
import { elementOf } from '../site/locate.ts'
import { plainResult } from './plain-result.ts'
import { WRITE_RESULT } from './write-result.ts'

/** What the browser says of a script whose page was left. */
const LEFT =
  /Inspected target navigated|Cannot find (default execution )?context|context was destroyed|Promise was collected/
/** Of what WRITE_RESULT has listed the types alone are of interest. */
const SERIALIZED = { serialization: 'deep', maxDepth: 2 } as const
const NOTHING = { value: null }
export const evaluate: ActionHandler<ActionValues<'evaluate'>> = async (site, input) => {
  const { expression, arg, target, timeoutMs } = input
  using deadline = new Deadline(site.timeout)
  site.details.note({ expression, ...(arg === null ? {} : { arg: JSON.stringify(arg) }) })
  const element = target === null ? null : await elementOf(site, target)
  const node = element && (await element.elementHandle({ timeout: site.timeout }))
  const running = asScript(() => resultOf(site, input, node && objectIdOf(node)))
  const taken = await deadline.result(running)
  node?.dispose().catch(() => undefined)
  if (taken !== null) return taken
  throw new ActionFailure('TIMEOUT', `The script was not done within ${timeoutMs} ms: what it waits for did not come.`)
}

async function resultOf(
  site: ActionSite,
  input: ActionValues<'evaluate'>,
  nodeId: string | null,
): Promise<{ result: Json }> {
  // One that came too late for its own step leaves the objects of the next alone.
  const objectGroup = `tabwire-evaluate-${randomUUID()}`
  site.script.isRunning = true
  try {
    const result = await written(site, input, nodeId, { userGesture: true, objectGroup })
    // A page whose popup is held stands still only after the script that opened it, and what it answers in between is chance
    // (measured). That the popup is held was told before the answer.
    await site.whenPopupsResumed()
    return { result }
  } finally {
    site.script.isRunning = false
    site.sendCommand('Runtime.releaseObjectGroup', { objectGroup }).catch(() => undefined)
  }
}

/**
 * Runs a script and serializes its result without any method of the page but those the script calls: Playwright's own
 * code in the page would fail on methods that the page has replaced, and JSON.stringify may be one of them.
 */
async function written(
  { sendCommand }: ActionSite,
  { expression, arg }: ActionValues<'evaluate'>,
  nodeId: string | null,
  running: { userGesture: true; objectGroup: string },
): Promise<Json> {
  const script = done(await sendCommand('Runtime.evaluate', { ...running, expression: asBlock(expression) }))
  const { objectId } = script
  if (objectId === undefined) return bounded(primitiveIn(script))
  const node = nodeId === null ? NOTHING : { objectId: nodeId }
  const given = [{ value: nodeId !== null }, node, { value: arg }]
  const limits = [{ value: ACTION_LIMITS.result }, { value: ACTION_LIMITS.resultDepth }]
  const called = await sendCommand('Runtime.callFunctionOn', {
    ...running,
    objectId,
    functionDeclaration: WRITE_RESULT,
    arguments: [{ objectId }, ...given, ...limits],
    awaitPromise: true,
    serializationOptions: SERIALIZED,
  })
  const plain = plainResult(done(called).deepSerializedValue, ACTION_LIMITS.result)
  if ('result' in plain) return bounded(plain.result)
  throw new ActionFailure('SCRIPT_ERROR', WHY_NOT[plain.no])
}

interface Ran {
  result: Protocol.Runtime.RemoteObject
  exceptionDetails?: Protocol.Runtime.ExceptionDetails
}

function done({ result, exceptionDetails }: Ran): Protocol.Runtime.RemoteObject {
  if (exceptionDetails) throw new ActionFailure('SCRIPT_ERROR', thrownIn(exceptionDetails))
  return result
}

/** In a block, so that what it declares is its own. A function that stands alone would be declared, not returned. */
function asBlock(text: string): string {
  if (/^\s*(async\s+)?function\b/.test(text)) return `(${text}\n)`
  return /^\s*\{/.test(text) ? text : `{${text}\n}`
}

/** What JSON cannot say is null. */
function primitiveIn({ type, value, unserializableValue }: Protocol.Runtime.RemoteObject): Json {
  if (unserializableValue === '-0') return 0
  const isJson = type === 'string' || type === 'boolean' || (type === 'number' && unserializableValue === undefined)
  return isJson ? (value as string | number | boolean) : null
}

const WHY_NOT = {
  long: `The result takes more than the ${ACTION_LIMITS.result} characters of JSON that are allowed.`,
  deep: `The result nests deeper than ${ACTION_LIMITS.resultDepth} levels.`,
  circular: 'The result contains itself.',
} as const

function bounded(result: Json): Json {
  const { length } = JSON.stringify(result)
  if (length <= ACTION_LIMITS.result) return result
  const message = `The result takes ${length} characters as JSON; ${ACTION_LIMITS.result} are allowed.`
  throw new ActionFailure('SCRIPT_ERROR', message)
}

/** What was thrown, and the first place of its own. */
function thrownIn({ text, exception }: Protocol.Runtime.ExceptionDetails): string {
  if (!exception) return text
  const [first, ...frames] = (exception.description ?? String(exception.value)).split('\n')
  const frame = frames.find((line) => /^\s+at /.test(line))
  return [first, frame?.trim()].filter(Boolean).join(', ')
}

/** What a script throws is the page's own; what the browser and Playwright say of pages and elements is not. */
async function asScript<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    const isOfPage = error instanceof TargetGone || error instanceof BrowserGone || error instanceof PageCrashed
    if (isOfPage || error instanceof ActionFailure) throw error
    if (isTooLargeResult(error)) {
      throw new ActionFailure('SCRIPT_ERROR', 'The result is too large to process: ask for less of the page.')
    }
    const said = error instanceof Error ? error.message : String(error)
    if (LEFT.test(said)) {
      throw new ActionFailure('SCRIPT_ERROR', 'The page navigated while the script ran, which ended it.')
    }
    throw new ActionFailure('SCRIPT_ERROR', said)
  }
}
