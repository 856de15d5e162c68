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
import type { DeliveryRoom } from '../../domain/log/delivery.ts'
import { cutText, ISSUE_LIMITS } from '../../domain/kernel/errors.ts'
import { OperationReads, RESPONSE_LIMITS, ResponseTooLarge } from '../../domain/log/operation-reads.ts'
import type { Principal } from '../../domain/kernel/principal.ts'
import { createContext, type Domain } from '../../schema/base/context.ts'
import { schema } from '../../schema/schema.ts'
import { badUserInput, maskError, maskResult, refusal, requestError } from '../base/graphql-errors.ts'
import { isParsingAborted, isValidationAborted } from './graphql-js-errors.ts'
import { checkLimits, checkNesting, hasManyLines, QUERY_LIMITS, tooComplex } from './query-limits.ts'
import { sizeOfResponse } from './response-size.ts'
import { checkAmount, mistakesIn } from './variables.ts'

/** An operation as a client sent it, by whichever transport. */
export interface OperationRequest {
  query: string
  operationName?: string | null
  variables?: Record<string, unknown> | null
}

/** An operation that may run: parsed, valid, within the limits, its variables of the right types. */
export interface Operation {
  readonly type: 'query' | 'mutation' | 'subscription'
  readonly args: ExecutionArgs
  readonly validated: ValidatedExecutionArgs
}

/** For whom an operation is executed. */
export interface OperationReader {
  principal: Principal
  /** Fires when nobody waits for the answer any more. */
  signal: AbortSignal
  /** Of the connection that the answer goes to. */
  room: DeliveryRoom
  /** Told how large the answer to a query or mutation is, before it is written. */
  onResult?(bytes: number): void
}

export type OperationResult = ExecutionResult | AsyncGenerator<ExecutionResult, void, void>

interface FinishedResult {
  result: ExecutionResult
  bytes: number
  isTooLarge: boolean
}

const CACHED_DOCUMENTS = 500
/** A longer text is parsed anew each time: clients that build texts by hand would fill the cache with megabytes. */
const LONGEST_CACHED = 20_000

/**
 * Runs GraphQL operations. HTTP and WebSocket are thin around it, so that both parse, check, limit, execute and mask
 * alike.
 */
export class GraphqlOperations {
  readonly #domain: Domain
  readonly #logger: Logger
  /** Texts that were parsed and found valid. Least recently used first. */
  readonly #documents = new Map<string, DocumentNode>()

  constructor(domain: Domain, logger: Logger) {
    this.#domain = domain
    this.#logger = logger
  }

  /** The operation of a request, or why it cannot run. */
  prepare(request: OperationRequest): Operation | readonly GraphQLError[] {
    const document = this.#parse(request.query)
    if (Array.isArray(document)) return document
    const args = {
      schema,
      document: document as DocumentNode,
      operationName: request.operationName,
      variableValues: request.variables,
      // Mistakes in variables were looked for before; what GraphQL finds beyond is told once.
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
   * that says why.
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
    const { principal, signal, room } = reader
    const withContext = <Args extends ValidatedExecutionArgs>(args: Args, reads: OperationReads): Args => ({
      ...args,
      contextValue: createContext(this.#domain, principal, reads),
    })
    if (type !== 'subscription') {
      const reads = new OperationReads({ signal, room })
      const result = await executeRootSelectionSet(withContext(validated, reads))
      const finished = await this.#finish(result, signal)
      reader.onResult?.(finished.bytes)
      reads.done()
      return finished.result
    }

    const newReads = () => new OperationReads({ signal, room, waits: false })
    const subscription = withContext(validated as ValidatedSubscriptionArgs, newReads())
    const source = await createSourceEventStream(subscription)
    if (!(Symbol.asyncIterator in source)) return (await this.#finish(source, signal)).result
    let isTooLarge = false
    let reads: OperationReads | null = null
    const results = mapSourceToResponseEvent(subscription, source, async (event) => {
      // The next event is only asked for when the one before it is on its way.
      reads?.done()
      reads = newReads()
      const args = withContext(event, reads)
      const result = await readingFor(this.#storeReader(operation, reader), () => executeSubscriptionEvent(args))
      const finished = await this.#finish(result, signal)
      isTooLarge = finished.isTooLarge
      return finished.result
    })
    return this.#endingInAResult(results, {
      // What it held is not delivered and would be missed; from its cursor the reader can ask for less.
      isOver: () => isTooLarge,
      onEnd: () => reads?.done(),
    })
  }

  /** A result as it may be sent, and how large it is. */
  async #finish(result: ExecutionResult, signal: AbortSignal): Promise<FinishedResult> {
    // Nobody is told, and what was broken off for that is no fault.
    if (signal.aborted) return { result: { data: null }, bytes: 0, isTooLarge: false }
    const masked = maskResult(result, this.#logger)
    const bytes = await sizeOfResponse(masked, RESPONSE_LIMITS.responseBytes)
    if (bytes !== null) return { result: masked, bytes, isTooLarge: false }
    return { result: { data: null, errors: [refusal(new ResponseTooLarge())] }, bytes: 0, isTooLarge: true }
  }

  /** Transports would tell a client the message of whatever an iterator throws: so none is thrown. */
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
    const errors = validate(schema, document, undefined, {
      maxErrors: ISSUE_LIMITS.issues,
      // Comparing a name of a megabyte with all that it might have meant takes long.
      hideSuggestions: query.length > LONGEST_CACHED,
    })
    if (isValidationAborted(errors)) return [tooComplex('The document selects too many fields of the same name.')]
    if (errors.length > 0) return errors.map((error) => requestError(error, 'GRAPHQL_VALIDATION_FAILED'))
    if (query.length <= LONGEST_CACHED) {
      this.#documents.set(query, document)
      if (this.#documents.size > CACHED_DOCUMENTS) this.#documents.delete(this.#documents.keys().next().value!)
    }
    return document
  }
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
