import { builder } from '../base/builder.ts'
import { encodeGlobalId } from '../../contract/global-id.ts'
import { Cost } from '../base/model-cost.ts'
import { entryType } from '../sessions/session-event.ts'
import { TaskStatusEnum } from '../tasks/task.ts'

const TASK_ID = 'The id of the task, as in Session.tasks. Never null in this kind of entry.'

const TaskStep = entryType('TASK_STEP', 'A response of a task’s model. The actions that it requested follow.')

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
    description: 'Text of the model in addition to its calls, up to 8192 characters; often empty.',
    resolve: ({ entry }) => entry.data.text,
  }),
  calls: t.stringList({
    description:
      'The tools that it called, in order: kinds of actions, or observe, switchPage, finish, giveUp; any other name is an error of the model.',
    resolve: ({ entry }) => entry.data.calls,
  }),
  durationMs: t.int({
    description: 'Response time in milliseconds.',
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
    description: 'Outcome: COMPLETED, FAILED or CANCELLED.',
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
    description: 'Error message of a failed task. Null if there was no error.',
    resolve: ({ entry }) => entry.data.error,
  }),
  steps: t.int({ description: 'Total number of responses of the model.', resolve: ({ entry }) => entry.data.steps }),
  cost: t.field({
    type: Cost,
    nullable: true,
    description: 'Tokens and price of all responses. Never null in this kind of entry.',
    resolve: ({ entry }) => entry.data.cost,
  }),
}))
