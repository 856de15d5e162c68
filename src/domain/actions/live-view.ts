import { z } from 'zod'
import { field } from '../../contract/input/input-field.ts'
import { INPUT_EVENT, INPUT_LIMITS, type InputEvent } from '../../contract/input-event.ts'
import type { PageFrames } from '../../ports/browser/live-view.ts'
import { untilRunning } from './actions.ts'
import { BadUserInput, type InputIssue } from '../kernel/errors.ts'
import { inputIssues } from '../kernel/input-issues.ts'
import type { Session } from '../session/session.ts'
import type { GivenInput, GivenWatch } from '../sessions/session-handle.ts'

/** The options of a live view, and their defaults. */
export const PICTURE_BOUNDS = {
  side: { min: 16, max: 8_192 },
  quality: { min: 1, max: 100, default: 60 },
  maxFps: { min: 1, max: 60, default: 30 },
} as const

const { side, quality, maxFps } = PICTURE_BOUNDS
const pictureInput = z.object({
  maxWidth: field.wholeNumber('', side.min, side.max).rule,
  maxHeight: field.wholeNumber('', side.min, side.max).rule,
  quality: field.wholeNumberOr('', quality.default, quality.min, quality.max).rule,
  maxFps: field.wholeNumberOr('', maxFps.default, maxFps.min, maxFps.max).rule,
})

/** See SessionHandle.watch. */
export async function watchPage(session: Session, given: GivenWatch, signal: AbortSignal): Promise<PageFrames> {
  const asked = pictureInput.safeParse(given)
  if (!asked.success) throw new BadUserInput(inputIssues(asked.error, []))
  await untilRunning(session, signal)
  return session.live.watch(given.pageId, asked.data, signal)
}

/** See SessionHandle.dispatchInput. */
export async function dispatchInput(session: Session, given: GivenInput, signal: AbortSignal): Promise<boolean> {
  const events = readEvents(given.events)
  await untilRunning(session, signal)
  return session.live.dispatchInput(given.pageId, events)
}

/** Throws BadUserInput with every broken rule. */
function readEvents(given: readonly unknown[]): InputEvent[] {
  const most = INPUT_LIMITS.events
  if (given.length === 0) throw badCount('TOO_SHORT', 'must have at least one event')
  if (given.length > most) throw badCount('TOO_LONG', `must have at most ${most} events; it has ${given.length}`)
  const issues: InputIssue[] = []
  const events = given.flatMap((one, index) => {
    const parsed = INPUT_EVENT.rule.safeParse(one)
    if (parsed.success) return [eventOf(parsed.data)]
    issues.push(...inputIssues(parsed.error, ['events', index]))
    return []
  })
  if (issues.length > 0) throw new BadUserInput(issues)
  return events
}

const badCount = (code: string, message: string) => new BadUserInput([{ path: ['events'], code, message }])

function eventOf(members: object): InputEvent {
  // Its rule has checked that exactly one member is given.
  const [kind, input] = Object.entries(members).find(([, member]) => member !== null)! as [string, object]
  return { kind, ...input } as InputEvent
}
