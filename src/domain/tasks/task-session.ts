import type { ActionStep } from '../../contract/actions/list.ts'
import { uuidOf } from '../../contract/global-id.ts'
import { NotFound } from '../kernel/errors.ts'
import { givenStep } from '../session/given-step.ts'
import type { Session } from '../session/session.ts'
import type { TaskGround } from './tool-executor.ts'

/** A session as its task sees it: pages to look at, and actions by the queue and the rules that hold for clients. */
export function groundOf(session: Session, taskId: string): TaskGround {
  return {
    pages: () => session.pages(),
    observe: async (request, signal) => {
      try {
        return await session.actions.observe(request, signal)
      } catch (error) {
        if (!(error instanceof NotFound)) throw error
        return { observation: null, error: { code: 'PAGE_CLOSED', message: 'The page has closed.' } }
      }
    },
    act: async (steps, pageId, cost, signal) => {
      try {
        const given = steps.map((step) => givenStep(step, artifactsOf(step)))
        const entries = await session.actions.run(given, { origin: 'TASK', pageId, taskId, cost }, signal)
        return entries.map(({ data }) => data)
      } catch (error) {
        // The page closed between the model's look and its hand.
        if (error instanceof NotFound) return []
        throw error
      }
    },
  }
}

/** A model has ids from the person who gave the task, who has them from the API. */
function artifactsOf(step: ActionStep): (string | null)[] {
  return step.name === 'upload' ? step.input.artifactIds.map((id) => uuidOf('Artifact', id)) : []
}
