import { NotFound } from '../../domain/kernel/errors.ts'
import { TASK_INPUT } from '../../domain/tasks/task-input.ts'
import { cancelTask, startTask } from '../../domain/tasks/task-requests.ts'
import type { TaskRecord, TaskStatus } from '../../ports/tasks/task.ts'
import { builder } from '../base/builder.ts'
import { COST } from '../base/complexity.ts'
import { describedValues } from '../base/enum-values.ts'
import { uuidOf } from '../../contract/global-id.ts'
import { inputTypeOf } from '../base/input-type.ts'
import { Cost } from '../base/model-cost.ts'
import { givenMembers, NEEDS, readOrGiven } from '../base/needs.ts'
import { foundByUuid } from '../base/node.ts'
import { Session, sessionUuid } from '../sessions/session.ts'

const ID = 'The id of the task.'

export const TaskStatusEnum = builder.enumType('TaskStatus', {
  description: 'Status of a task. COMPLETED, FAILED and CANCELLED are final.',
  values: describedValues<TaskStatus>({
    RUNNING: 'The model works on it, or it waits for its session to run.',
    COMPLETED: 'The model finished it; see result.',
    FAILED: 'It failed, or reached one of its limits; see error.',
    CANCELLED: 'It was canceled, or its session ended.',
  }),
})

const Task = builder.node(builder.objectRef<TaskRecord>('Task'), {
  ...foundByUuid('READ', (owner, uuid, { tasks }) => tasks.find(owner, uuid)),
  id: { description: ID, resolve: ({ id }) => id },
  authScopes: NEEDS.readOrWrite,
  description:
    'A task in words that a model works on in a session. Its progress is recorded in the log of the session: TaskStep for each response of the model, Action with the origin TASK, TaskEnded. Of the result of a mutation, a key without READ sees the id, session, status and times, and the prompt of its own input.',
  fields: (t) => ({
    session: t.field({
      authScopes: NEEDS.readOrWrite,
      type: Session,
      description: 'The session that it works in.',
      resolve: async ({ sessionId, owner }, _, { sessions }) => {
        const session = await sessions.find(owner, sessionId)
        if (!session) throw new Error(`the session of a task is gone: ${sessionId}`)
        return session
      },
    }),
    prompt: t.exposeString('prompt', { authScopes: readOrGiven('prompt'), description: 'The prompt.' }),
    status: t.expose('status', {
      authScopes: NEEDS.readOrWrite,
      type: TaskStatusEnum,
      description: 'Status of the task.',
    }),
    result: t.expose('result', {
      authScopes: NEEDS.read,
      type: 'JSON',
      nullable: true,
      description:
        'A text, or JSON that satisfies outputSchema where one was given; at most 100000 characters. Null unless it is COMPLETED.',
    }),
    error: t.exposeString('error', {
      authScopes: NEEDS.read,
      nullable: true,
      description: 'Error message. Null if there is none.',
    }),
    steps: t.exposeInt('steps', { authScopes: NEEDS.read, description: 'Number of model responses to date.' }),
    cost: t.expose('cost', { authScopes: NEEDS.read, type: Cost, description: 'Model cost to date.' }),
    createdAt: t.expose('createdAt', {
      authScopes: NEEDS.readOrWrite,
      type: 'DateTime',
      description: 'Creation time.',
    }),
    endedAt: t.expose('endedAt', {
      authScopes: NEEDS.readOrWrite,
      type: 'DateTime',
      nullable: true,
      description: 'End time. Null until it ends.',
    }),
  }),
})

builder.objectFields(Session, (t) => ({
  cost: t.expose('cost', {
    authScopes: NEEDS.read,
    type: Cost,
    description: 'Total model cost of its tasks to date.',
  }),
  tasks: t.field({
    authScopes: NEEDS.read,
    type: [Task],
    description: 'Its tasks, oldest first, also after it ended. Empty when it had none. Errors: RESPONSE_TOO_LARGE.',
    extensions: COST.shortList,
    resolve: ({ id }, _, { tasks, reads }) => reads.list((maxBytes) => tasks.list(id, maxBytes)),
  }),
}))

const TaskInput = inputTypeOf(TASK_INPUT)

builder.mutationFields((t) => ({
  startTask: t.field({
    type: Task,
    authScopes: NEEDS.write,
    grantScopes: (_, { input }) => givenMembers(input as object),
    description:
      'Starts a task for the model in a running session, one at a time; returns immediately. TaskEnded in the log is its end. While it runs the session is not idle. Errors: NOT_FOUND, SESSION_NOT_RUNNING, MACHINE_UNREACHABLE, TASK_RUNNING, AI_NOT_CONFIGURED, BAD_USER_INPUT.',
    extensions: COST.change,
    args: {
      sessionId: t.arg.id({ required: true, description: 'The id of the session.' }),
      input: t.arg({ type: TaskInput, required: true, description: 'The task.' }),
    },
    resolve: (_, { sessionId, input }, context) =>
      startTask(context.tasks, context.sessions, context.require('WRITE').owner, sessionUuid(sessionId), input),
  }),
  cancelTask: t.field({
    type: Task,
    authScopes: NEEDS.write,
    description:
      'Ends a task as CANCELLED: the model is stopped, and its current action is aborted. The session continues. A task that has ended is returned unchanged. Errors: NOT_FOUND, SESSION_NOT_RUNNING, MACHINE_UNREACHABLE.',
    extensions: COST.change,
    args: { id: t.arg.id({ required: true, description: ID }) },
    resolve: (_, { id }, context) =>
      cancelTask(context.tasks, context.sessions, context.require('WRITE').owner, taskUuid(id)),
  }),
}))

/** UUID of a task's id. Throws NotFound for a malformed id, as for a missing task. */
function taskUuid(id: string): string {
  const uuid = uuidOf('Task', id)
  if (!uuid) throw new NotFound('task')
  return uuid
}
