import type { z } from 'zod'
import { ACTION_KINDS, type ActionName, type ActionStep } from '../../contract/actions/list.ts'
import { uuidOf } from '../../contract/global-id.ts'
import {
  defineInput,
  field,
  type FieldValues,
  type InputDefinition,
  type InputFields,
} from '../../contract/input/input-field.ts'
import { optionalTarget } from '../../contract/actions/target.ts'
import type { ModelCall, ModelTool } from '../../ports/tasks/chat-model.ts'
import type { Json } from '../../ports/base/json.ts'
import type { OutputSchema } from '../../ports/tasks/output-schema.ts'
import { givenStep, type GivenStep } from '../sessions/given-step.ts'
import { toolSchemaOf } from './tool-schema.ts'

/**
 * A model's tool call, parsed and checked by the same rules as clients' input. Global ids end here: as in the schema,
 * the things that they identify are passed with the step.
 */
export type TaskCall =
  | { kind: 'ACTION'; step: GivenStep }
  | { kind: 'OBSERVE'; input: FieldValues<typeof OBSERVE.fields> }
  | { kind: 'SWITCH_PAGE'; pageId: string }
  | { kind: 'FINISH'; result: unknown }
  | { kind: 'GIVE_UP'; reason: string }
  /** An unknown tool, or invalid input: why, for the model. */
  | { kind: 'NONSENSE'; problem: string }

/** Default length of a page's snapshot for a model. UTF-16 code units. */
export const VIEW_CHARACTERS = 20_000
const MAX_VIEW_CHARACTERS = 60_000

/** A model that misses its target should learn it sooner than a person who may be waiting for a slow page. */
const STEP_TIMEOUT_MS = 10_000

const OBSERVE = defineInput('observe', 'Shows the page again, or a part of it.', {
  target: optionalTarget('Only this element. Default: the whole page.'),
  maxCharacters: field.wholeNumberOr('Characters to show at most.', VIEW_CHARACTERS, 500, MAX_VIEW_CHARACTERS),
})

const SWITCH_PAGE = defineInput('switchPage', 'Goes on in another page that is open.', {
  pageId: field.requiredText('Its id, such as "p2".', { max: 50 }),
})

const GIVE_UP = defineInput('giveUp', 'Ends the task as failed, when it cannot be done.', {
  reason: field.requiredText('Why it cannot be done, for the person who gave the task.', { max: 4000 }),
})

const FINISH = 'finish'

/** The tools of a task: every kind of action, observation, and two ways to end. */
export function taskTools(output: OutputSchema | null): ModelTool[] {
  const actions = Object.entries(ACTION_KINDS).map(([name, { description, input }]) => ({
    name,
    description,
    // The timeout of an element is not up to the model; the duration of a plain wait is.
    inputSchema: toolSchemaOf(input as unknown as InputDefinition<InputFields>, name === 'wait' ? [] : ['timeoutMs']),
  }))
  const others = [OBSERVE, SWITCH_PAGE, GIVE_UP].map((input) => ({
    name: input.inputName,
    description: input.description,
    inputSchema: toolSchemaOf(input as unknown as InputDefinition<InputFields>),
  }))
  return [...actions, ...others, finishTool(output)]
}

function finishTool(output: OutputSchema | null): ModelTool {
  const type = output?.schema['type']
  const result: { [key: string]: Json } = output
    ? { ...(typeof type === 'string' ? { type } : {}), description: 'JSON that satisfies the output schema.' }
    : { type: 'string', description: 'What was asked for, or what was done, in words.' }
  return {
    name: FINISH,
    description: 'Ends the task as completed. Call it alone, once everything is done and seen to be done.',
    inputSchema: { type: 'object', properties: { result }, required: ['result'], additionalProperties: false },
  }
}

export function readCall({ name, input }: ModelCall): TaskCall {
  if (input === undefined) return nonsense('The input of the call was no JSON.')
  if (name === FINISH) {
    return typeof input === 'object' && input !== null && 'result' in input
      ? { kind: 'FINISH', result: input.result }
      : nonsense('finish takes {"result": …}.')
  }
  if (Object.hasOwn(ACTION_KINDS, name)) return readAction(name as ActionName, input)
  switch (name) {
    case OBSERVE.inputName:
      return checked(OBSERVE.rule, input, (value) => ({ kind: 'OBSERVE', input: value }))
    case SWITCH_PAGE.inputName:
      return checked(SWITCH_PAGE.rule, input, ({ pageId }) => ({ kind: 'SWITCH_PAGE', pageId }))
    case GIVE_UP.inputName:
      return checked(GIVE_UP.rule, input, ({ reason }) => ({ kind: 'GIVE_UP', reason }))
    default:
      return nonsense(`There is no tool named ${JSON.stringify(name.slice(0, 100))}.`)
  }
}

function readAction(name: ActionName, input: unknown): TaskCall {
  const { fields, rule } = ACTION_KINDS[name].input as unknown as InputDefinition<InputFields>
  const isBare = typeof input === 'object' && input !== null && !('timeoutMs' in input)
  const isQuick = 'timeoutMs' in fields && !('waitUntil' in fields) && name !== 'wait'
  const given = isBare && isQuick ? { ...input, timeoutMs: STEP_TIMEOUT_MS } : input
  return checked(rule, given, (value) => {
    const step = { name, input: value } as ActionStep
    return { kind: 'ACTION', step: givenStep(step, artifactsOf(step)) }
  })
}

/** A model gets ids from the task's author, who has them from the API. */
function artifactsOf(step: ActionStep): (string | null)[] {
  return step.name === 'upload' ? step.input.artifactIds.map((id) => uuidOf('Artifact', id)) : []
}

const nonsense = (problem: string): TaskCall => ({ kind: 'NONSENSE', problem })

function checked<T>(rule: z.ZodType<T>, input: unknown, read: (value: T) => TaskCall): TaskCall {
  const parsed = rule.safeParse(input)
  if (parsed.success) return read(parsed.data)
  const problems = parsed.error.issues.slice(0, 10).map(({ path, message }) => `${path.join('.') || 'it'}: ${message}`)
  return nonsense(`The input was refused: ${problems.join('; ').slice(0, 2000)}`)
}
