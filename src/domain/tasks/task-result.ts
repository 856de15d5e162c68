import { isDeeperThan } from '../../contract/input/json-depth.ts'
import type { Json } from '../../ports/base/json.ts'
import type { OutputSchema } from '../../ports/tasks/output-schema.ts'

/** Max length of a result, in UTF-16 code units of its JSON. */
const LONGEST_RESULT = 100_000
const DEEPEST_RESULT = 100

export interface ReadResult {
  result: Json
  problem: string | null
}

/** A model's result for its task; `problem`: why it is invalid, for the model. */
export async function readResult(given: unknown, schema: OutputSchema | null): Promise<ReadResult> {
  if (isDeeperThan(DEEPEST_RESULT, given)) return TOO_DEEP
  const result = schema ? await asJson(given, schema) : asText(given)
  if (isDeeperThan(DEEPEST_RESULT, result)) return TOO_DEEP
  const length = JSON.stringify(result ?? null).length
  if (length > LONGEST_RESULT) {
    return { result: null, problem: `it has ${length} characters, and may have ${LONGEST_RESULT}` }
  }
  return { result, problem: schema ? await schema.problemOf(result) : null }
}

const TOO_DEEP = { result: null, problem: `it nests deeper than ${DEEPEST_RESULT} levels` }

/** Some models write JSON as text, and some put it into a code fence. */
async function asJson(given: unknown, schema: OutputSchema): Promise<Json> {
  if (typeof given !== 'string' || (await schema.problemOf(given)) === null) return given as Json
  const fenced = /^\s*```(?:json)?\s*\n([\s\S]*)\n\s*```\s*$/.exec(given)
  try {
    return JSON.parse(fenced?.[1] ?? given) as Json
  } catch {
    return given
  }
}

const asText = (given: unknown): Json => (typeof given === 'string' ? given : JSON.stringify(given ?? null))
