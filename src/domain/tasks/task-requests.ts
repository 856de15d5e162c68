import type { TaskRecord } from '../../ports/tasks/task.ts'
import { NotFound } from '../kernel/errors.ts'
import { answerOr, SessionNotRunning } from '../kernel/session-state.ts'
import { findLive } from '../sessions/live-session.ts'
import type { SessionDirectory } from '../sessions/session-directory.ts'
import type { AgentTasks } from './agent-tasks.ts'

/** Starts a task in the owner's session. See SessionHandle.startTask. Throws NotFound as well. */
export async function startTask(
  tasks: AgentTasks,
  sessions: SessionDirectory,
  owner: string,
  sessionId: string,
  input: unknown,
): Promise<TaskRecord> {
  tasks.requireModel()
  const handle = await sessions.requireHandle(owner, sessionId)
  return handle.startTask(input)
}

/** Ends the owner's task as CANCELLED; a task that has ended does not change. Throws NotFound or SessionNotRunning. */
export async function cancelTask(
  tasks: AgentTasks,
  sessions: SessionDirectory,
  owner: string,
  taskId: string,
): Promise<TaskRecord> {
  const found = await tasks.find(owner, taskId)
  if (!found) throw new NotFound('task')
  if (found.status !== 'RUNNING') return found
  const handle = await findLive(sessions, owner, found.sessionId)
  const hasEnded = async () => {
    const ended = await tasks.find(owner, taskId)
    if (!ended || ended.status === 'RUNNING') throw new SessionNotRunning()
    return ended
  }
  return handle ? answerOr(handle.cancelTask(taskId), hasEnded) : hasEnded()
}
