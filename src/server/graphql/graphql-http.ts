import { setMaxListeners } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { GraphQLError, type ExecutionResult } from 'graphql'
import { createYoga, type Plugin } from 'graphql-yoga'
import type { Logger } from 'pino'
import type { Delivery, DeliveryBudget } from '../../domain/log/reading/delivery.ts'
import { cutText, ISSUE_LIMITS } from '../../domain/kernel/errors.ts'
import type { MemoryBudget } from '../../domain/kernel/memory-budget.ts'
import type { Principal } from '../../domain/kernel/principal.ts'
import { API_PATH } from '../../http-paths.ts'
import { EVENT_STREAM } from './event-stream.ts'
import { maskError, retryAfterOf } from '../base/graphql-errors.ts'
import { sizeOfRequest, type GraphqlOperations, type OperationResult } from './graphql.ts'
import { resultStream, type StreamFormat } from './result-stream.ts'
import { acceptsJson, streamFormatFor } from './stream-format.ts'

const MAX_BODY_BYTES = 1_000_000

const NO_STREAM_ACCEPTED =
  'A subscription needs Accept: text/event-stream or multipart/mixed;subscriptionSpec=1.0, or a WebSocket.'

interface RequestContext extends Record<string, unknown> {
  principal: Principal
  left: AbortSignal
  delivery: Delivery
  /** Called with the size of its request before an operation runs. */
  onOperation: (bytes: number) => void
  /** Called before a subscription starts, since its response is long-lived. */
  onStream: () => void
  /** For a subscription: the format of its results. */
  streamFormat?: StreamFormat
  /** Called when the response says when to retry. */
  onRetry: (seconds: number) => void
}

/**
 * GraphQL over HTTP. Yoga reads requests and writes responses according to the specifications; GraphqlOperations does
 * everything in between, as for WebSocket. The caller is authenticated earlier.
 */
export function createGraphqlHttp(
  operations: GraphqlOperations,
  deliveries: DeliveryBudget,
  memory: MemoryBudget,
  logger: Logger,
) {
  const yoga = createYoga<RequestContext>({
    graphqlEndpoint: API_PATH,
    logging: false,
    // These features have routes of their own, or are unused.
    graphiql: false,
    landingPage: false,
    cors: false,
    multipart: false,
    healthCheckEndpoint: `${API_PATH}/health-is-elsewhere`,
    parserAndValidationCache: false,
    maxRequestBodySize: MAX_BODY_BYTES,
    maskedErrors: { maskError: (error) => maskTransportError(error, logger) },
    plugins: [throughOperations(operations)],
  })

  return async (
    request: IncomingMessage,
    response: ServerResponse,
    principal: Principal,
    onStream: () => void,
  ): Promise<void> => {
    const left = new AbortController()
    // Each of its reads may add an abort listener.
    setMaxListeners(0, left.signal)
    const delivery = deliveries.open(principal.owner, () => {
      logger.info('a reader was disconnected to make room for others')
      response.destroy()
    })
    const holder = {
      heldBytes: 0,
      closeForMemory: () => {
        logger.info(
          { bytes: holder.heldBytes },
          'the requests of running operations take too much memory: the largest end',
        )
        response.destroy()
      },
    }
    const onOperation = (bytes: number) => {
      if (response.destroyed) return
      holder.heldBytes = bytes
      memory.note(holder)
    }
    response.once('close', () => {
      left.abort()
      delivery.close()
      memory.forget(holder)
    })
    const onRetry = (seconds: number) => {
      if (!response.headersSent) response.setHeader('retry-after', seconds)
    }
    await yoga(request, response, { principal, left: left.signal, delivery, onOperation, onStream, onRetry })
  }
}

function throughOperations(operations: GraphqlOperations): Plugin<object, RequestContext> {
  return {
    onParams({ setParamsHandler }) {
      setParamsHandler(async ({ request, params, context }): Promise<OperationResult> => {
        const operationName: unknown = params.operationName
        if (operationName != null && typeof operationName !== 'string') {
          return { errors: [transportError('operationName must be a string.', 400)] }
        }
        const operation = operations.prepare({ ...params, query: params.query ?? '' })
        if (!('type' in operation)) return { errors: operation.map(withStatus) }
        if (operation.type === 'mutation' && request.method === 'GET') {
          return { errors: [transportError('A mutation needs POST.', 405, { Allow: 'POST' })] }
        }
        if (operation.type === 'subscription') {
          const format = streamFormatFor(request.headers.get('accept'))
          if (!format) return { errors: [transportError(NO_STREAM_ACCEPTED, 406)] }
          context.streamFormat = format
          context.onStream()
        }
        const { principal, left: signal, delivery: space } = context
        context.onOperation(sizeOfRequest(params))
        // Held until the response is closed.
        const onResult = (bytes: number) => void space.hold(bytes)
        const result = await operations.execute(operation, { principal, signal, space, onResult })
        const seconds = Symbol.asyncIterator in result ? null : retryAfterOf(result.errors)
        if (seconds !== null) context.onRetry(seconds)
        return result
      })
    },
    onResultProcess(payload) {
      const { result, request } = payload
      const { streamFormat } = payload.serverContext
      if (!streamFormat) return
      const isStream = Symbol.asyncIterator in result
      // Yoga sends it as JSON or as an event; in a multipart response it would treat it as a result of @defer.
      if (!isStream && (streamFormat === EVENT_STREAM || acceptsJson(request.headers.get('accept')))) return
      const results = isStream
        ? (result as AsyncGenerator<ExecutionResult, void, void>)
        : only(result as ExecutionResult)
      const { headers, mediaType } = streamFormat
      payload.setResultProcessor(
        (_, { Response }) => new Response(resultStream(results, streamFormat), { headers }),
        mediaType,
      )
    },
  }
}

/** The status code that the specification requires for errors before execution, if the media type allows one. */
function withStatus(error: GraphQLError): GraphQLError {
  const { message, nodes, source, positions, extensions } = error
  const http = { spec: true, status: 400 }
  return new GraphQLError(message, { nodes, source, positions, extensions: { ...extensions, http } })
}

async function* only(result: ExecutionResult): AsyncGenerator<ExecutionResult, void, void> {
  yield result
}

function transportError(message: string, status: number, headers: Record<string, string> = {}): GraphQLError {
  // It may name a request parameter.
  const reported = cutText(message, ISSUE_LIMITS.messageLength)
  const issues = [{ path: [], code: 'INVALID_FORMAT', message: reported }]
  return new GraphQLError(reported, { extensions: { code: 'BAD_USER_INPUT', issues, http: { status, headers } } })
}

/** Yoga rejects invalid GraphQL requests with codes of its own: they are mapped to ours here. */
function maskTransportError(error: unknown, logger: Logger): GraphQLError {
  const http = error instanceof GraphQLError ? error.extensions['http'] : undefined
  if (error instanceof GraphQLError && http) return transportError(error.message, http.status ?? 400, http.headers)
  // GET with variables that are not JSON: yoga passes the parser's error through.
  if (error instanceof SyntaxError) {
    return transportError('The parameters variables and extensions must be JSON.', 400)
  }
  return maskError(error, logger)
}
