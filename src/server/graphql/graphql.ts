import {
  createSourceEventStream,
  executeRootSelectionSet,
  executeSubscriptionEvent,
  GraphQLError,
  Kind,
  mapSourceToResponseEvent,
  parse,
  validate,
  validateExecutionArgs,
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
  type OperationDefinitionNode,
  type ValidatedExecutionArgs,
  type ValidatedSubscriptionArgs,
} from 'graphql'
import type { Logger } from 'pino'
import { readingFor, type Reader } from '../../async/current-reader.ts'
import type { DeliverySpace } from '../../domain/log/reading/delivery.ts'
import { cutText, ISSUE_LIMITS, type TabwireError } from '../../domain/kernel/errors.ts'
import { OperationReads, RESPONSE_LIMITS, ResponseTooLarge } from '../../domain/log/reading/operation-reads.ts'
import type { Principal } from '../../domain/kernel/principal.ts'
import { createContext, type Context, type Domain } from '../../schema/base/context.ts'
import { TooManyFailures } from '../../schema/base/failures.ts'
import { schema } from '../../schema/schema.ts'
import { badUserInput, maskError, maskResult, refusal, requestError } from '../base/graphql-errors.ts'
import { isParsingAborted, isValidationAborted } from './graphql-js-errors.ts'
import {
  checkComparisons,
  checkLimits,
  checkNesting,
  hasManyLines,
  QUERY_LIMITS,
  TOO_MANY_COMPARISONS,
  tooComplex,
} from './query-limits.ts'
import { sizeOfResponse } from './response-size.ts'
import { checkAmount, mistakesIn } from './variables.ts'

/** An operation as sent by a client, over any transport. */
export interface OperationRequest {
  query: string
  operationName?: string | null
  variables?: Record<string, unknown> | null
}

/** An operation that may run: parsed, valid, within the limits, and with variables of the right types. */
export interface Operation {
  readonly type: 'query' | 'mutation' | 'subscription'
  readonly args: ExecutionArgs
  readonly validated: ValidatedExecutionArgs
}

/** The caller and environment of an operation. */
export interface OperationReader {
  principal: Principal
  /** Aborted when the client no longer waits for the response. */
  signal: AbortSignal
  /** Of the connection that receives the response. */
  space: DeliverySpace
  /** Called with the size of a query's or mutation's response before it is written. */
  onResult?(bytes: number): void
}

export type OperationResult = ExecutionResult | AsyncGenerator<ExecutionResult, void, void>

interface FinishedResult {
  result: ExecutionResult
  bytes: number
  isTooLarge: boolean
}

const CACHED_DOCUMENTS = 500
/** Longer documents are parsed each time: clients that build documents by hand would fill the cache with megabytes. */
const LONGEST_CACHED = 20_000

/**
 * Runs GraphQL operations. The HTTP and WebSocket transports are thin layers over it, so that both parse, validate,
 * limit, execute and mask in the same way.
 */
export class GraphqlOperations {
  readonly #domain: Domain
  readonly #logger: Logger
  /** Parsed and valid documents. Least recently used first. */
  readonly #documents = new Map<string, DocumentNode>()

  constructor(domain: Domain, logger: Logger) {
    this.#domain = domain
    this.#logger = logger
  }

  /** The operation of a request, or the reason why it cannot run. */
  prepare(request: OperationRequest): Operation | readonly GraphQLError[] {
    const document = this.#parse(request.query)
    if (Array.isArray(document)) return document
    const args = {
      schema,
      document: document as DocumentNode,
      operationName: request.operationName,
      variableValues: request.variables,
      // Variables were checked earlier; further errors that GraphQL finds are reported once.
      options: { maxCoercionErrors: 1 },
    }
    const operation = findOperation(args.document, request.operationName)
    if (operation instanceof GraphQLError) return [operation]
    const variables = request.variables ?? {}
    const tooMuch = checkAmount(variables)
    if (tooMuch) return [tooMuch]
    const mistakes = mistakesIn(operation, variables)
    if (mistakes.length > 0) return mistakes
    const validated = validateExecutionArgs(args)
    if (!('schema' in validated)) return validated.map((error) => requestError(error, 'BAD_USER_INPUT'))
    const tooLarge = checkLimits(validated)
    return tooLarge ? [tooLarge] : { type: operation.operation, args, validated }
  }

  /**
   * Executes a prepared operation for the caller. Never rejects; a subscription that fails midway ends with a result
   * that contains the error.
   */
  execute(operation: Operation, reader: OperationReader): Promise<OperationResult> {
    return readingFor(this.#storeReader(operation, reader), () => this.#execute(operation, reader))
  }

  /** What a mutation has begun is done although its client leaves. */
  #storeReader({ type }: Operation, { principal, signal }: OperationReader): Reader {
    return { name: principal.owner, signal: type === 'mutation' ? null : signal }
  }

  async #execute(operation: Operation, reader: OperationReader): Promise<OperationResult> {
    const { type, validated } = operation
    const { principal, signal, space } = reader
    const withContext = <Args extends ValidatedExecutionArgs>(args: Args, reads: OperationReads): Args => ({
      ...args,
      contextValue: createContext(this.#domain, principal, reads),
    })
    if (type !== 'subscription') {
      const reads = new OperationReads({ signal, space })
      const args = withContext(validated, reads)
      const result = await executeRootSelectionSet(args)
      const finished = await this.#finish(result, args, signal)
      reader.onResult?.(finished.bytes)
      reads.done()
      return finished.result
    }

    const newReads = () => new OperationReads({ signal, space, waits: false })
    const subscription = withContext(validated as ValidatedSubscriptionArgs, newReads())
    const source = await createSourceEventStream(subscription)
    if (!(Symbol.asyncIterator in source)) return (await this.#finish(source, subscription, signal)).result
    let isTooLarge = false
    let reads: OperationReads | null = null
    const results = mapSourceToResponseEvent(subscription, source, async (event) => {
      // The next event is requested only after the previous one was sent.
      reads?.done()
      reads = newReads()
      const args = withContext(event, reads)
      const result = await readingFor(this.#storeReader(operation, reader), () => executeSubscriptionEvent(args))
      const finished = await this.#finish(result, args, signal)
      isTooLarge = finished.isTooLarge
      return finished.result
    })
    return this.#endingInAResult(results, {
      // Its entries are not delivered and would be missing; the reader can request less from its cursor.
      isOver: () => isTooLarge,
      onEnd: () => reads?.done(),
    })
  }

  /** A result that can be sent, and its size. */
  async #finish(
    result: ExecutionResult,
    { contextValue }: ValidatedExecutionArgs,
    signal: AbortSignal,
  ): Promise<FinishedResult> {
    // The client has left, and aborted work is not a fault.
    if (signal.aborted) return { result: { data: null }, bytes: 0, isTooLarge: false }
    if ((contextValue as Context).failures.areTooMany) return refused(new TooManyFailures())
    const masked = maskResult(result, this.#logger)
    const bytes = await sizeOfResponse(masked, RESPONSE_LIMITS.responseBytes)
    if (bytes !== null) return { result: masked, bytes, isTooLarge: false }
    return refused(new ResponseTooLarge())
  }

  /** Transports would expose the message of an error that an iterator throws, so none is thrown. */
  #endingInAResult(
    results: AsyncGenerator<ExecutionResult, void, void>,
    { isOver, onEnd }: { isOver(): boolean; onEnd(): void },
  ): AsyncGenerator<ExecutionResult, void, void> {
    let failed = false
    const toResult = (error: unknown): IteratorResult<ExecutionResult, void> => {
      if (failed) return { done: true, value: undefined }
      failed = true
      return { done: false, value: { errors: [maskError(error, this.#logger)] } }
    }
    const end = () => {
      onEnd()
      return results.return()
    }
    return {
      [Symbol.asyncIterator]() {
        return this
      },
      next: () => (isOver() ? end() : results.next().catch(toResult)),
      return: end,
      throw: (error: unknown) => {
        onEnd()
        return results.throw(error)
      },
      [Symbol.asyncDispose]: () => results[Symbol.asyncDispose](),
    }
  }

  #parse(query: string): DocumentNode | readonly GraphQLError[] {
    const known = this.#documents.get(query)
    if (known) {
      this.#documents.delete(query)
      this.#documents.set(query, known)
      return known
    }
    const tooNested = checkNesting(query)
    if (tooNested) return [tooNested]
    let document: DocumentNode
    try {
      document = parse(query, {
        maxLexicalTokens: QUERY_LIMITS.tokens,
        maxComments: QUERY_LIMITS.tokens,
        noLocation: hasManyLines(query),
      })
    } catch (error) {
      if (isParsingAborted(error)) return [tooComplex(error.message)]
      if (!(error instanceof GraphQLError)) throw error
      return [requestError(error, 'GRAPHQL_PARSE_FAILED')]
    }
    const tooRepetitive = checkComparisons(document)
    if (tooRepetitive) return [tooRepetitive]
    const errors = validate(schema, document, undefined, {
      maxErrors: ISSUE_LIMITS.issues,
      // Suggesting similar names for a name of a megabyte takes long.
      hideSuggestions: query.length > LONGEST_CACHED,
    })
    if (isValidationAborted(errors)) return [tooComplex(TOO_MANY_COMPARISONS)]
    if (errors.length > 0) return errors.map((error) => requestError(error, 'GRAPHQL_VALIDATION_FAILED'))
    if (query.length <= LONGEST_CACHED) {
      this.#documents.set(query, document)
      if (this.#documents.size > CACHED_DOCUMENTS) this.#documents.delete(this.#documents.keys().next().value!)
    }
    return document
  }
}

function refused(why: TabwireError): FinishedResult {
  return { result: { data: null, errors: [refusal(why)] }, bytes: 0, isTooLarge: true }
}

/** What is kept of a request while its operation runs, in characters. Clients choose each of its members. */
export function sizeOfRequest(request: object): number {
  return JSON.stringify(request).length
}

function findOperation(
  document: DocumentNode,
  operationName: string | null | undefined,
): OperationDefinitionNode | GraphQLError {
  const operations = document.definitions.filter((definition) => definition.kind === Kind.OPERATION_DEFINITION)
  const named = operationName ? operations.filter(({ name }) => name?.value === operationName) : operations
  if (named.length === 1) return named[0]!
  const message = operationName
    ? `There is no operation named ${JSON.stringify(cutText(operationName, 100))} in the document.`
    : 'The document has several operations, or none: operationName must name one of them.'
  return badUserInput([{ path: ['operationName'], code: operationName ? 'UNKNOWN_VALUE' : 'REQUIRED', message }])
}
