import { randomUUID } from 'node:crypto'
import { GraphQLError, type ExecutionResult } from 'graphql'
import type { Logger } from 'pino'
import { asClientError } from '../../domain/kernel/database-unavailable.ts'
import { cutText, ISSUE_LIMITS, TabwireError, reportedIssues, type InputIssue } from '../../domain/kernel/errors.ts'

/**
 * The only place where errors become visible to clients: each carries extensions.code. Domain errors are passed on
 * unchanged, errors of GraphQL itself get a code here, and everything else is an internal error and is masked.
 */

const MAX_PLACES = 10

/** Errors before execution. */
export function requestError(error: GraphQLError, code: string, details: Record<string, unknown> = {}): GraphQLError {
  return new GraphQLError(cutText(error.message, ISSUE_LIMITS.messageLength), {
    // A cycle of a thousand fragments is reported with a few locations.
    nodes: error.nodes?.slice(0, MAX_PLACES),
    source: error.source,
    positions: error.positions?.slice(0, MAX_PLACES),
    extensions: { code, ...details },
  })
}

export function badUserInput(
  issues: readonly InputIssue[],
  nodes?: GraphQLError['nodes'],
  hasMore = false,
): GraphQLError {
  const reported = { ...reportedIssues(issues), ...(hasMore ? { hasMoreIssues: true } : {}) }
  const texts = reported.issues.map((issue) => issue.message)
  const message = [...texts, ...(reported.hasMoreIssues ? ['and more'] : [])].join('; ')
  return new GraphQLError(message, {
    nodes: nodes?.slice(0, MAX_PLACES),
    extensions: { code: 'BAD_USER_INPUT', ...reported },
  })
}

/** A TabwireError as a GraphQL error, for refusals outside of any field. */
export function refusal(error: TabwireError): GraphQLError {
  return new GraphQLError(error.message, { extensions: { code: error.code, ...error.extensions } })
}

/** The result as clients may see it. */
export function maskResult(result: ExecutionResult, logger: Logger): ExecutionResult {
  if (!result.errors) return result
  return { ...result, errors: result.errors.map((error) => maskError(error, logger)) }
}

/** Any thrown value as clients may see it. Masked errors are logged with their cause under the same id. */
export function maskError(thrown: unknown, logger: Logger): GraphQLError {
  const located = thrown instanceof GraphQLError ? thrown : null
  const cause = asClientError(located ? originOf(located) : thrown)
  const place = located
    ? { nodes: located.nodes, source: located.source, positions: located.positions, path: located.path }
    : {}
  if (cause instanceof TabwireError) {
    return new GraphQLError(cause.message, { ...place, extensions: { code: cause.code, ...cause.extensions } })
  }
  if (cause instanceof GraphQLError) {
    if (typeof cause.extensions['code'] === 'string') return cause
    // graphql-js attaches a node of the document to errors in arguments, but not to errors in values that a resolver
    // returned.
    if (cause.nodes) {
      const issues: InputIssue[] = [
        { path: [...(located?.path ?? [])], code: 'INVALID_FORMAT', message: cause.message },
      ]
      return new GraphQLError(cause.message, { ...place, extensions: { code: 'BAD_USER_INPUT', issues } })
    }
  }
  const correlationId = randomUUID()
  logger.error({ err: cause, correlationId, path: located?.path?.join('.') }, 'an operation failed')
  return new GraphQLError('Something went wrong on the server. Its log has the details under the correlation id.', {
    ...place,
    extensions: { code: 'INTERNAL', correlationId },
  })
}

/** When to retry, if one of the errors says so. */
export function retryAfterOf(errors: readonly GraphQLError[] | undefined): number | null {
  const seconds =
    errors?.map(({ extensions }) => Number(extensions['retryAfterSeconds'])).filter((one) => one > 0) ?? []
  return seconds.length > 0 ? Math.max(...seconds) : null
}

/** The original error, before GraphQL wrapped it with its path. */
function originOf(error: GraphQLError): unknown {
  let origin: unknown = error
  while (origin instanceof GraphQLError && origin.cause !== undefined) origin = origin.cause
  return origin
}
