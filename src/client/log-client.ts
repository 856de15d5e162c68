/** One operation, as clients of every transport send it. */
export interface LogRequest {
  query: string
  variables?: Record<string, unknown>
}

/** An error of a GraphQL response. */
export interface LogResultError {
  readonly message: string
  readonly extensions?: Readonly<Record<string, unknown>>
}

/** One message of a subscription. */
export interface LogResult {
  readonly data?: Readonly<Record<string, unknown>> | null
  readonly errors?: readonly LogResultError[]
}

/** Receives the messages of one subscription. After `error` or `complete` nothing follows. */
export interface LogSink {
  next(result: LogResult): void
  error(cause: unknown): void
  complete(): void
}

/** Sends subscriptions to the server. A `Client` of graphql-ws is one. */
export interface LogClient {
  /** Returns a function that ends the subscription. */
  subscribe(request: LogRequest, sink: LogSink): () => void
}
