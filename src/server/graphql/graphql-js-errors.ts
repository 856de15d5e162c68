import { GraphQLError } from 'graphql'

/**
 * Errors of graphql-js are recognized by their messages, since they have no codes. A test provokes each of them
 * (graphql-js-errors.test.ts), and fails if a new version changes a message.
 */

/** Whether the parser stopped because of the token limit. */
export const isParsingAborted = (error: unknown): error is GraphQLError =>
  error instanceof GraphQLError && error.message.endsWith('Parsing aborted.')

/** Whether validation stopped because comparing the selections would take too long. */
export const isValidationAborted = (errors: readonly GraphQLError[]): boolean =>
  errors.some(({ message }) => message === 'Validation aborted.')
