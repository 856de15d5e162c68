import { createContext, Script } from 'node:vm'
import { Ajv as Ajv07, type ErrorObject, type Options, type ValidateFunction } from 'ajv'
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import type { Json } from '../ports/store.ts'

/**
 * A JSON Schema that a client gives is code of sorts: a pattern may take for ever. So it runs against a clock, one that
 * a busy machine does not run out.
 */
const READ_MS = 3000
const CHECK_MS = 1000
const TOLD_PROBLEMS = 10

const OPTIONS: Options = {
  // Schemas carry words of other tools; a word that is not known says nothing.
  strict: false,
  allErrors: true,
  logger: false,
}

export class OutputSchemaInvalid extends Error {}

/** What the result of a task must be. */
export interface OutputSchema {
  readonly schema: { [key: string]: Json }
  /** What is wrong with a result, for the model; null: nothing. */
  problemOf(result: unknown): string | null
}

/**
 * Reads a JSON Schema: of draft 2020-12, or of draft-07 or draft-06 where $schema names it. References into itself only:
 * nothing is fetched. Throws OutputSchemaInvalid.
 */
export function readOutputSchema(schema: unknown): OutputSchema {
  if (typeof schema !== 'object' || schema === null || Array.isArray(schema)) {
    throw new OutputSchemaInvalid('must be a JSON Schema: a JSON object')
  }
  const given = schema as { [key: string]: Json }
  const validate = againstTheClock(READ_MS, () => tried(compile(given)))
  if (validate === null) throw new OutputSchemaInvalid('takes too long to be read')
  return {
    schema: given,
    problemOf(result) {
      const isValid = againstTheClock(CHECK_MS, () => validate(result) === true)
      if (isValid === null) return 'it takes too long to be checked'
      return isValid ? null : (validate.errors ?? []).slice(0, TOLD_PROBLEMS).map(problemText).join('; ')
    },
  }
}

const ENDLESS = 'refers to itself without an end'

/** A reference that comes back to where it stands, without a step into the value, shows only when something is checked. */
function tried(validate: ValidateFunction): ValidateFunction {
  try {
    for (const value of [null, {}, []]) validate(value)
    return validate
  } catch (error) {
    if (isTimeout(error)) throw error
    throw new OutputSchemaInvalid(ENDLESS)
  }
}

function compile(schema: { [key: string]: Json }): ValidateFunction {
  const { $schema } = schema
  const isOld = typeof $schema === 'string' && /draft-0[67]\b/.test($schema)
  // The meta-schema of draft-06 is not at hand; draft-07 only adds to it.
  const known = isOld ? { ...schema, $schema: 'http://json-schema.org/draft-07/schema#' } : schema
  const ajv = isOld ? new Ajv07(OPTIONS) : new Ajv2020(OPTIONS)
  addFormats.default(ajv)
  try {
    const validate = ajv.compile(known)
    if ('$async' in validate) throw new OutputSchemaInvalid('must not be asynchronous')
    return validate
  } catch (error) {
    if (error instanceof OutputSchemaInvalid || isTimeout(error)) throw error
    if (error instanceof RangeError) throw new OutputSchemaInvalid(ENDLESS)
    const reason = error instanceof Error ? error.message : String(error)
    throw new OutputSchemaInvalid(`is no JSON Schema that can be used: ${reason.slice(0, 500)}`)
  }
}

const problemText = ({ instancePath, message }: ErrorObject) => `${instancePath || 'it'} ${message ?? 'is wrong'}`

const clock = createContext({ run: null as (() => unknown) | null })
const RUN = new Script('run()')

/** What the function returns, or null when it was stopped for taking too long. */
function againstTheClock<T>(timeout: number, run: () => T): T | null {
  clock['run'] = run
  try {
    return RUN.runInContext(clock, { timeout }) as T
  } catch (error) {
    if (isTimeout(error)) return null
    throw error
  } finally {
    clock['run'] = null
  }
}

/** The error comes from another realm, where `Error` is another one. */
const isTimeout = (error: unknown) =>
  typeof error === 'object' && error !== null && 'code' in error && error.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT'
