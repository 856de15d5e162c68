import type { ObservationOutcome, ObservationRequest } from '../../ports/browser/action.ts'
import type { PageState } from '../../ports/browser/browser.ts'
import type { EntryDraft, LogEntry, SessionEndReason } from '../../ports/log/log-entry.ts'
import type { Cost } from '../../ports/tasks/task.ts'
import { NotFound } from '../kernel/errors.ts'
import type { SessionSnapshot } from '../log/entries/session-snapshot.ts'
import type { GivenStep } from '../sessions/given-step.ts'
import type { ToolHost } from './tool-executor.ts'

/** The session of a task, from the task's point of view: a task runs in the process of its session. */
export interface TaskSession {
  readonly id: string
  readonly owner: string
  /** Resolves when the session is RUNNING or has ended. */
  readonly running: Promise<void>
  readonly actions: {
    observe(request: Omit<ObservationRequest, 'signal'>, signal: AbortSignal): Promise<ObservationOutcome>
    run(steps: readonly GivenStep[], request: TaskActions, signal: AbortSignal): Promise<LogEntry<'ACTION'>[]>
  }
  readonly log: { patch(change: { cost: Cost }): void }
  snapshot(): SessionSnapshot
  pages(): PageState[]
  /** Appends to the log of the session. */
  record(draft: EntryDraft): void
  /** Runs work that ends soon after its signal is aborted with a SessionEnding. Throws SessionNotRunning. */
  occupy(work: (stopped: AbortSignal) => Promise<void>): void
  end(reason: SessionEndReason, error: string | null): Promise<void>
}

/** The origin of the steps, and their page. */
interface TaskActions {
  origin: 'TASK'
  pageId: string | null
  taskId: string
  cost: Cost | null
}

/**
 * A session from its task's point of view: pages to observe, and actions with the same queue and rules as for clients.
 */
export function hostOf(session: TaskSession, taskId: string): ToolHost {
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
        const entries = await session.actions.run(steps, { origin: 'TASK', pageId, taskId, cost }, signal)
        return entries.map(({ data }) => data)
      } catch (error) {
        // The page closed between the model's observation and its action.
        if (error instanceof NotFound) return []
        throw error
      }
    },
  }
}
