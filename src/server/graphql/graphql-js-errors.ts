import { GraphQLError } from 'graphql'

/**
 * What errors of graphql-js are known by: their texts, for they have no codes. A test provokes each (graphql-js-errors.test.ts),
 * and fails when a new version says it otherwise.
 */

/** Whether the parser stopped because the document has too many tokens. */
export const isParsingAborted = (error: unknown): error is GraphQLError =>
  error instanceof GraphQLError && error.message.endsWith('Parsing aborted.')

/** Whether validation stopped because comparing the selections with each other would take it very long. */
export const isValidationAborted = (errors: readonly GraphQLError[]): boolean =>
  errors.some(({ message }) => message === 'Validation aborted.')
