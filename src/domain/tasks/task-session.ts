import type { ObservationOutcome, ObservationRequest } from '../../ports/action.ts'
import type { PageState } from '../../ports/browser.ts'
import type { EntryDraft, LogEntry, SessionEndReason } from '../../ports/log-entry.ts'
import type { Cost } from '../../ports/task.ts'
import { NotFound } from '../kernel/errors.ts'
import type { SessionSnapshot } from '../log/session-snapshot.ts'
import type { GivenStep } from '../sessions/given-step.ts'
import type { ToolHost } from './tool-executor.ts'

/** The session that a task works in, as far as the task sees it: a task runs where its session lives. */
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
  /** Runs work that ends soon after its signal, which fires with a SessionEnding. Throws SessionNotRunning. */
  occupy(work: (stopped: AbortSignal) => Promise<void>): void
  end(reason: SessionEndReason, error: string | null): Promise<void>
}

/** Who takes the steps, and on which page. */
interface TaskActions {
  origin: 'TASK'
  pageId: string | null
  taskId: string
  cost: Cost | null
}

/** A session as its task sees it: pages to look at, and actions by the queue and the rules that hold for clients. */
export function groundOf(session: TaskSession, taskId: string): ToolHost {
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
        // The page closed between the model's look and its hand.
        if (error instanceof NotFound) return []
        throw error
      }
    },
  }
}
