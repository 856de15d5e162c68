import { EventStreamClient, type LogEndpoint } from './event-stream-client.ts'
import type { LogClient } from './log-client.ts'
import { readLogDocument, type LogDocument } from './log-document.ts'
import { LogReader, type LogRetry } from './log-reader.ts'

export { FollowLogError } from './follow-log-error.ts'
export type { LogEndpoint } from './event-stream-client.ts'
export type { LogClient, LogRequest, LogResult, LogResultError, LogSink } from './log-client.ts'
export type { LogDocument } from './log-document.ts'
export type { LogRetry } from './log-reader.ts'

/** Members of every batch of a log. A document selects those it needs, `cursor` always. */
export interface LogBatch<Entry = Record<string, unknown>> {
  /** The new entries, in order. May be empty. */
  readonly entries: readonly Entry[]
  /** Where to resume after this batch. */
  readonly cursor: string
  /** True once the end of the log has been reached. */
  readonly live: boolean
  /** How many entries the server could not record since the previous batch. */
  readonly dropped: number
  /** True if `dropped` is a lower bound. */
  readonly droppedUnknown: boolean
}

/** The batch in the data of a subscription. */
type BatchOf<Data> = Data[Exclude<keyof Data, '__typename'>]

export interface FollowLogOptions {
  /** Ends following: the iterator throws the reason of the signal. */
  signal?: AbortSignal
  /** Max batches buffered for a slow reader. Each has up to 512 KiB of entries. Default: 16. */
  maxBufferedBatches?: number
  /**
   * The first pause before a retry; each further one is twice as long, until a subscription has lasted longer than
   * `maxDelayMs`. Default: 250.
   */
  minDelayMs?: number
  /** The longest pause before a retry, unless the server asks for a longer one. Default: 10,000. */
  maxDelayMs?: number
  /** How many retries in a row may fail to advance the cursor. Default: unlimited. */
  maxRetries?: number
  /** Called before each retry. */
  onRetry?: (retry: LogRetry) => void
}

/**
 * Follows a log to its end: replays it from the cursor in the variables (from the first entry without one), then yields
 * each new batch. Reconnects with back-off and resumes at the cursor, so that no entry is missing and none comes twice.
 * Ends when the session has ended and its whole log was read. Throws a FollowLogError where no retry helps, such as
 * NOT_FOUND or UNAUTHENTICATED.
 *
 * @param client A client of graphql-ws (best with `retryAttempts: 0`), or the endpoint to read server-sent events from.
 * @param document A subscription to one log that selects `cursor`, and passes a variable to `after`.
 * @param variables The variables of the subscription.
 */
export function followLog<
  Data extends object = Record<string, LogBatch>,
  Variables extends object = Record<string, unknown>,
>(
  client: LogClient | LogEndpoint,
  document: LogDocument<Data, Variables>,
  variables: Variables,
  options: FollowLogOptions = {},
): AsyncIterableIterator<BatchOf<Data>, undefined> {
  const { maxBufferedBatches = 16, minDelayMs = 250, maxDelayMs = 10_000, maxRetries = Infinity } = options
  const operation = readLogDocument(document)
  return new LogReader<BatchOf<Data>>(
    'subscribe' in client ? client : new EventStreamClient(client),
    operation,
    variables,
    { ...options, maxBufferedBatches, minDelayMs, maxDelayMs, maxRetries },
  )
}
