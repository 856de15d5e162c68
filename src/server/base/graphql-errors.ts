import { randomUUID } from 'node:crypto'
import { GraphQLError, type ExecutionResult } from 'graphql'
import type { Logger } from 'pino'
import { asTold } from '../../domain/kernel/database-unavailable.ts'
import { cutText, ISSUE_LIMITS, TabwireError, toldIssues, type InputIssue } from '../../domain/kernel/errors.ts'

/**
 * The one channel of errors: each that a client sees carries extensions.code. What the domain refuses is told as it
 * is; what GraphQL itself refuses gets a code here; everything else is a fault of ours and is masked.
 */

const MOST_PLACES = 10

/** What is refused before anything was executed. */
export function requestError(error: GraphQLError, code: string, details: Record<string, unknown> = {}): GraphQLError {
  return new GraphQLError(cutText(error.message, ISSUE_LIMITS.messageLength), {
    // Of a thousand fragments that go round in a circle, a few tell where.
    nodes: error.nodes?.slice(0, MOST_PLACES),
    source: error.source,
    positions: error.positions?.slice(0, MOST_PLACES),
    extensions: { code, ...details },
  })
}

export function badUserInput(
  issues: readonly InputIssue[],
  nodes?: GraphQLError['nodes'],
  hasMore = false,
): GraphQLError {
  const told = { ...toldIssues(issues), ...(hasMore ? { hasMoreIssues: true } : {}) }
  const texts = told.issues.map((issue) => issue.message)
  const message = [...texts, ...(told.hasMoreIssues ? ['and more'] : [])].join('; ')
  return new GraphQLError(message, {
    nodes: nodes?.slice(0, MOST_PLACES),
    extensions: { code: 'BAD_USER_INPUT', ...told },
  })
}

/** A TabwireError as GraphQL error, for what is refused outside of any field. */
export function refusal(error: TabwireError): GraphQLError {
  return new GraphQLError(error.message, { extensions: { code: error.code, ...error.extensions } })
}

/** The result as the client may see it. */
export function maskResult(result: ExecutionResult, logger: Logger): ExecutionResult {
  if (!result.errors) return result
  return { ...result, errors: result.errors.map((error) => maskError(error, logger)) }
}

/** Whatever was thrown, as the client may see it. What is masked is logged with its cause, under the same id. */
export function maskError(thrown: unknown, logger: Logger): GraphQLError {
  const located = thrown instanceof GraphQLError ? thrown : null
  const cause = asTold(located ? originOf(located) : thrown)
  const place = located
    ? { nodes: located.nodes, source: located.source, positions: located.positions, path: located.path }
    : {}
  if (cause instanceof TabwireError) {
    return new GraphQLError(cause.message, { ...place, extensions: { code: cause.code, ...cause.extensions } })
  }
  if (cause instanceof GraphQLError) {
    if (typeof cause.extensions['code'] === 'string') return cause
    // GraphQL refuses an argument with a node of the document; it refuses what a resolver returned without one.
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

/** When to try again, where one of the errors says so. */
export function retryAfterOf(errors: readonly GraphQLError[] | undefined): number | null {
  const seconds =
    errors?.map(({ extensions }) => Number(extensions['retryAfterSeconds'])).filter((one) => one > 0) ?? []
  return seconds.length > 0 ? Math.max(...seconds) : null
}

/** What was thrown first, before GraphQL put its place around it. */
function originOf(error: GraphQLError): unknown {
  let origin: unknown = error
  while (origin instanceof GraphQLError && origin.cause !== undefined) origin = origin.cause
  return origin
}
