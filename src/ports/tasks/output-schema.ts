import type { Json } from '../base/json.ts'

/** The required form of a task's result. */
export interface OutputSchema {
  readonly schema: { [key: string]: Json }
  /** What is wrong with a result, for the model; null: nothing. */
  problemOf(result: unknown): Promise<string | null>
}

/** Compiles JSON Schemas from clients, which may be hostile: time and memory of each are limited. */
export interface OutputSchemas {
  /**
   * Reads a JSON Schema: draft 2020-12, or draft-07 or draft-06 if $schema says so. Only internal references: nothing
   * is fetched. Rejects with OutputSchemaInvalid.
   */
  read(schema: unknown): Promise<OutputSchema>
}

/** The message follows the name of the input: "must be a JSON object". */
export class OutputSchemaInvalid extends Error {
  override readonly name = 'OutputSchemaInvalid'
}
