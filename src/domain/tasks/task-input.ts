import { defineInput, field } from '../../contract/input/input-field.ts'
import { BadUserInput, type InputIssue } from '../kernel/errors.ts'
import { inputIssues } from '../kernel/input-issues.ts'
import { OutputSchemaInvalid, type OutputSchema, type OutputSchemas } from '../../ports/tasks/output-schema.ts'

/** Input from the client. Shown in the schema as TaskInput. */
export const TASK_INPUT = defineInput('TaskInput', 'A task in words, for the model of the server.', {
  prompt: field.requiredText(
    'The task, in words; 1 to 8000 characters. Include what the model needs: URLs, names, passwords.',
    {
      max: 8000,
    },
  ),
  maxSteps: field.wholeNumberOr('How often the model may answer; then the task is FAILED.', 50, 1, 200),
  maxUsd: field.number(
    'US dollars that the task may cost, by the price of the model; once they are spent the task is FAILED. The cost is checked after each response of the model, so the last one may exceed it. Default: no limit. BAD_USER_INPUT with a model of unknown price.',
    0.000_001,
    10_000,
  ),
  timeoutSeconds: field.wholeNumberOr('Seconds that the task may take; then it is FAILED.', 600, 1, 7200),
  outputSchema: field.json(
    'A JSON Schema (draft 2020-12, or draft-07 or -06 if $schema names it) that the result must satisfy, of at most 32768 bytes; references within the schema only. Default: the result is text.',
    { maxBytes: 32_768 },
  ),
})

export interface TaskOptions {
  prompt: string
  maxSteps: number
  maxUsd: number | null
  timeoutSeconds: number
  outputSchema: OutputSchema | null
}

/**
 * The options of a task, defaults filled in. Throws BadUserInput with every broken rule. A limit in USD requires a
 * model with a known price: otherwise it could not be enforced.
 */
export async function parseTask(
  input: unknown,
  model: { name: string; isPriced: boolean },
  schemas: OutputSchemas,
): Promise<TaskOptions> {
  const parsed = TASK_INPUT.rule.safeParse(input)
  const issues = parsed.success ? [] : inputIssues(parsed.error, ['input'])
  const { maxUsd, outputSchema } = (input ?? {}) as { maxUsd?: unknown; outputSchema?: unknown }
  if (maxUsd != null && !model.isPriced) {
    const message = `the price of the model ${model.name} is not known: it can be set in TABWIRE_AI_PRICES`
    issues.push({ path: ['input', 'maxUsd'], code: 'CONFLICT', message })
  }
  const isMalformed = issues.some(({ path }) => path[1] === 'outputSchema')
  const schema = outputSchema == null || isMalformed ? null : await readSchema(schemas, outputSchema, issues)
  if (!parsed.success || issues.length > 0) throw new BadUserInput(issues)
  return { ...parsed.data, outputSchema: schema }
}

async function readSchema(schemas: OutputSchemas, schema: unknown, issues: InputIssue[]): Promise<OutputSchema | null> {
  try {
    return await schemas.read(schema)
  } catch (error) {
    if (!(error instanceof OutputSchemaInvalid)) throw error
    issues.push({ path: ['input', 'outputSchema'], code: 'INVALID_FORMAT', message: error.message })
    return null
  }
}
