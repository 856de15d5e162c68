import { parentPort, workerData } from 'node:worker_threads'
import { Ajv as Ajv07, type ErrorObject, type Options, type ValidateFunction } from 'ajv'
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import type { Json } from '../../ports/base/json.ts'

/** Input of a thread; without `checked`, the schema is only compiled. */
export interface SchemaWork {
  schema: { [key: string]: Json }
  checked: { value: unknown } | null
}

/** Messages of a thread, in this order; `problem` null: none. */
export type SchemaWorkEvent = { kind: 'loaded' } | { kind: 'read' | 'checked'; problem: string | null }

const MAX_PROBLEMS = 10
const ENDLESS = 'refers to itself without an end'

const OPTIONS: Options = {
  // Schemas contain keywords of other tools; unknown keywords are ignored.
  strict: false,
  allErrors: true,
  logger: false,
}

class SchemaInvalid extends Error {}

function compile(schema: { [key: string]: Json }): ValidateFunction {
  const { $schema } = schema
  const isOld = typeof $schema === 'string' && /draft-0[67]\b/.test($schema)
  // The meta-schema of draft-06 is not available; draft-07 is a superset.
  const known = isOld ? { ...schema, $schema: 'http://json-schema.org/draft-07/schema#' } : schema
  const ajv = isOld ? new Ajv07(OPTIONS) : new Ajv2020(OPTIONS)
  addFormats.default(ajv)
  try {
    const validate = ajv.compile(known)
    if ('$async' in validate) throw new SchemaInvalid('must not be asynchronous')
    return validate
  } catch (error) {
    if (error instanceof SchemaInvalid) throw error
    if (error instanceof RangeError) throw new SchemaInvalid(ENDLESS)
    const reason = error instanceof Error ? error.message : String(error)
    throw new SchemaInvalid(`is no JSON Schema that can be used: ${reason.slice(0, 500)}`)
  }
}

/** A reference that leads back to itself without descending into the value is only detected during a check. */
function requireAnEnd(validate: ValidateFunction): void {
  try {
    for (const value of [null, {}, []]) validate(value)
  } catch {
    throw new SchemaInvalid(ENDLESS)
  }
}

const problemText = ({ instancePath, message }: ErrorObject) => `${instancePath || 'it'} ${message ?? 'is wrong'}`

function work({ schema, checked }: SchemaWork, report: (event: SchemaWorkEvent) => void): void {
  report({ kind: 'loaded' })
  let validate: ValidateFunction
  try {
    validate = compile(schema)
    requireAnEnd(validate)
  } catch (error) {
    if (!(error instanceof SchemaInvalid)) throw error
    return report({ kind: 'read', problem: error.message })
  }
  report({ kind: 'read', problem: null })
  if (checked === null) return
  const isValid = validate(checked.value) === true
  const problem = isValid ? null : (validate.errors ?? []).slice(0, MAX_PROBLEMS).map(problemText).join('; ')
  report({ kind: 'checked', problem })
}

work(workerData as SchemaWork, (event) => parentPort?.postMessage(event))
