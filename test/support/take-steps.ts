import type { ActionOutcome, ActionStep, GivenFile } from '../../src/ports/browser/action.ts'
import { ACTION_KINDS, type ActionName } from '../../src/contract/actions/list.ts'
import type { BrowserSession } from '../../src/ports/browser/browser.ts'
import { NO_DEADLINE } from './time-limits.ts'

type Given = { [N in ActionName]?: Record<string, unknown> }

/** A step in the form of client input, with its defaults filled in. */
export function stepOf(given: Given): ActionStep {
  const [name, input] = Object.entries(given)[0] as [ActionName, Record<string, unknown>]
  return { name, input: ACTION_KINDS[name].input.rule.parse(input) } as ActionStep
}

interface Circumstances {
  pageId?: string | null
  files?: readonly GivenFile[]
  refuse?: (url: string) => string | null
  signal?: AbortSignal
}

/** Runs a step in a session without the domain's rules around it. */
export function take(session: BrowserSession, given: Given, more: Circumstances = {}): Promise<ActionOutcome> {
  const { pageId = null, files = [], refuse = () => null, signal = NO_DEADLINE } = more
  return session.act(stepOf(given), { pageId, files, refuseAddress: refuse, signal })
}
