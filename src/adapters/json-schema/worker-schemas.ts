import type { Json } from '../../ports/json.ts'
import { OutputSchemaInvalid, type OutputSchema, type OutputSchemas } from '../../ports/output-schema.ts'
import { workedOut } from './schema-thread.ts'

const MOST_THREADS = 2

/** Reads each schema in a thread of its own, a few at once: what a schema takes, it takes from everybody. */
export class WorkerSchemas implements OutputSchemas {
  readonly #waiting: (() => void)[] = []
  #threads = 0

  async read(schema: unknown): Promise<OutputSchema> {
    if (typeof schema !== 'object' || schema === null || Array.isArray(schema)) {
      throw new OutputSchemaInvalid('must be a JSON Schema: a JSON object')
    }
    const given = schema as { [key: string]: Json }
    const problem = await this.#inTurn(() => workedOut({ schema: given, checked: null }))
    if (problem !== null) throw new OutputSchemaInvalid(problem)
    return {
      schema: given,
      problemOf: (value) => this.#inTurn(() => workedOut({ schema: given, checked: { value } })),
    }
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#threads === MOST_THREADS) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    else this.#threads += 1
    try {
      return await work()
    } finally {
      const next = this.#waiting.shift()
      if (next) next()
      else this.#threads -= 1
    }
  }
}
