import type { Json } from './json.ts'

/** What the result of a task must be. */
export interface OutputSchema {
  readonly schema: { [key: string]: Json }
  /** What is wrong with a result, for the model; null: nothing. */
  problemOf(result: unknown): Promise<string | null>
}

/** Reads JSON Schemas that clients give, which may be hostile: what one takes in time and memory is bounded. */
export interface OutputSchemas {
  /**
   * Reads a JSON Schema: of draft 2020-12, or of draft-07 or draft-06 where $schema names it. References into itself only:
   * nothing is fetched. Rejects with OutputSchemaInvalid.
   */
  read(schema: unknown): Promise<OutputSchema>
}

/** The message follows the name of the input: "must be a JSON object". */
export class OutputSchemaInvalid extends Error {
  override readonly name = 'OutputSchemaInvalid'
}
