import { Semaphore } from '../../async/semaphore.ts'
import type { Json } from '../../ports/base/json.ts'
import { OutputSchemaInvalid, type OutputSchema, type OutputSchemas } from '../../ports/tasks/output-schema.ts'
import { workedOut } from './schema-thread.ts'

const MAX_THREADS = 2

/** Compiles each schema in a separate thread, a few at a time, since each takes resources from everyone. */
export class WorkerSchemas implements OutputSchemas {
  readonly #threads = new Semaphore(MAX_THREADS)

  async read(schema: unknown): Promise<OutputSchema> {
    if (typeof schema !== 'object' || schema === null || Array.isArray(schema)) {
      throw new OutputSchemaInvalid('must be a JSON Schema: a JSON object')
    }
    const given = schema as { [key: string]: Json }
    const problem = await this.#threads.run(() => workedOut({ schema: given, checked: null }))
    if (problem !== null) throw new OutputSchemaInvalid(problem)
    return {
      schema: given,
      problemOf: (value) => this.#threads.run(() => workedOut({ schema: given, checked: { value } })),
    }
  }
}
