import { builder } from '../base/builder.ts'
import { encodeGlobalId } from '../../contract/global-id.ts'
import { Cost } from '../base/model-cost.ts'
import { entryType } from '../sessions/session-event.ts'
import { TaskStatusEnum } from '../tasks/task.ts'

const TASK_ID = 'The id of the task, as in Session.tasks. Never null in this kind of entry.'

const TaskStep = entryType(
  'TASK_STEP',
  'The model that works on a task answered. The actions that it asked for follow.',
)

builder.objectFields(TaskStep, (t) => ({
  taskId: t.id({
    nullable: true,
    description: TASK_ID,
    resolve: ({ entry }) => encodeGlobalId('Task', entry.data.taskId),
  }),
  step: t.int({
    description: 'Number of the step within its task, from 1.',
    resolve: ({ entry }) => entry.data.step,
  }),
  text: t.string({
    description: 'Text of the model beside its calls, up to 8192 characters; often empty.',
    resolve: ({ entry }) => entry.data.text,
  }),
  calls: t.stringList({
    description:
      'The tools that it called, in order: kinds of actions, or observe, switchPage, finish, giveUp; a name that is no tool’s is its mistake.',
    resolve: ({ entry }) => entry.data.calls,
  }),
  durationMs: t.int({
    description: 'Milliseconds that it took to answer.',
    resolve: ({ entry }) => entry.data.durationMs,
  }),
  cost: t.field({
    type: Cost,
    nullable: true,
    description: 'Tokens and price of the step. Never null in this kind of entry.',
    resolve: ({ entry }) => entry.data.cost,
  }),
}))

const TaskEnded = entryType('TASK_ENDED', 'A task ended.')

builder.objectFields(TaskEnded, (t) => ({
  taskId: t.id({
    nullable: true,
    description: TASK_ID,
    resolve: ({ entry }) => encodeGlobalId('Task', entry.data.taskId),
  }),
  taskStatus: t.field({
    type: TaskStatusEnum,
    description: 'How it ended: COMPLETED, FAILED or CANCELLED.',
    resolve: ({ entry }) => entry.data.status,
  }),
  result: t.field({
    type: 'JSON',
    nullable: true,
    description: 'As in Task.result. Null unless it was COMPLETED.',
    resolve: ({ entry }) => entry.data.result,
  }),
  errorMessage: t.string({
    nullable: true,
    description: 'Error message of a task that failed. Null when nothing went wrong.',
    resolve: ({ entry }) => entry.data.error,
  }),
  steps: t.int({ description: 'Answers of the model in all.', resolve: ({ entry }) => entry.data.steps }),
  cost: t.field({
    type: Cost,
    nullable: true,
    description: 'Tokens and price of all answers together. Never null in this kind of entry.',
    resolve: ({ entry }) => entry.data.cost,
  }),
}))
