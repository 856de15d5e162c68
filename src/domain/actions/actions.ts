import { z } from 'zod'
import { ACTION_LIMITS, type ActionError } from '../../ports/browser/action.ts'
import { field } from '../../contract/input/input-field.ts'
import { optionalTarget } from '../../contract/actions/target.ts'
import type { LogEntry } from '../../ports/log/log-entry.ts'
import { readSteps } from './action-input.ts'
import { BadUserInput, TabwireError, type InputIssue } from '../kernel/errors.ts'
import { inputIssues } from '../kernel/input-issues.ts'
import { BrowserTimeout } from '../session/browser-lease.ts'
import { givenStep } from '../sessions/given-step.ts'
import type { GivenActions, GivenObservation, ObservedPage } from '../sessions/session-handle.ts'
import { SessionNotRunning } from '../kernel/session-state.ts'
import type { Session } from '../session/session.ts'
import { Deadline } from '../../async/deadline.ts'

/** Of Observation.snapshot, in UTF-16 code units. */
export const OBSERVATION_CHARACTERS = { min: 100, max: 1_000_000, default: 50_000 } as const

const { min, max, default: usual } = OBSERVATION_CHARACTERS
const observationInput = z.object({
  maxCharacters: field.wholeNumberOr('Where to cut.', usual, min, max).rule,
  target: optionalTarget('What to look at.').rule,
})

/** A failed question about a page, under the code of an action that fails in the same way. */
class ObservationFailed extends TabwireError {
  override readonly code: string

  constructor({ code, message }: ActionError) {
    super(message)
    this.code = code
  }
}

/** See SessionHandle.act. */
export async function runActions(
  session: Session,
  given: GivenActions,
  signal: AbortSignal,
): Promise<LogEntry<'ACTION'>[]> {
  const began = Date.now()
  const { steps: read, issues } = readSteps(given.actions)
  const steps = read.map((step, index) => step && givenStep(step, given.artifacts?.[index] ?? []))
  for (const { step, index } of await session.actions.missingArtifacts(steps)) {
    issues.push(noSuchArtifact(step, index))
  }
  if (issues.length > 0) throw new BadUserInput(issues)
  await untilRunning(session, signal)
  const left = Math.max(1, ACTION_LIMITS.requestMs - (Date.now() - began))
  const request = { origin: 'API', pageId: given.pageId, taskId: null, cost: null } as const
  return session.actions.run(
    steps.filter((step) => step !== null),
    request,
    signal,
    left,
  )
}

/** See SessionHandle.observe. */
export async function observePage(
  { actions }: Session,
  given: GivenObservation,
  signal: AbortSignal,
): Promise<ObservedPage> {
  const { pageId, withPicture } = given
  const asked = observationInput.safeParse(given)
  if (!asked.success) throw new BadUserInput(inputIssues(asked.error, []))
  const { observation, error } = await actions.observe({ pageId, ...asked.data }, signal)
  if (error) throw new ObservationFailed(error)
  return { ...observation, picture: withPicture ? await actions.picture(pageId, signal) : null }
}

const noSuchArtifact = (step: number, index: number): InputIssue => ({
  path: ['actions', step, 'upload', 'artifactIds', index],
  code: 'NOT_FOUND',
  message: 'Artifact not found.',
})

/** Throws BrowserTimeout, or SessionNotRunning if it has ended. */
export async function untilRunning(session: Session, signal: AbortSignal): Promise<void> {
  if (session.snapshot().status !== 'CREATING') return
  await Deadline.isMet(session.running, ACTION_LIMITS.requestMs, signal)
  const { status } = session.snapshot()
  if (status === 'CREATING') {
    throw new BrowserTimeout(`The session did not run within ${ACTION_LIMITS.requestMs / 1000} s; nothing was done.`)
  }
  if (status !== 'RUNNING') throw new SessionNotRunning()
}
