import { createParser } from 'eventsource-parser'
import { FollowLogError, UnexpectedResponse, followLogError } from './follow-log-error.ts'
import type { LogClient, LogRequest, LogResult, LogResultError, LogSink } from './log-client.ts'

/** Connection settings for a server that is reached with `fetch`. */
export interface LogEndpoint {
  /** The GraphQL endpoint, such as http://127.0.0.1:4000/graphql. */
  url: string | URL
  /** HTTP headers, such as X-API-Key or Authorization. A function is called for each request. */
  headers?: Record<string, string> | (() => Record<string, string> | Promise<Record<string, string>>)
  /** Another implementation than the global `fetch`. */
  fetch?: typeof fetch
  /**
   * A connection without a byte for this long is considered lost. The server sends some every 12 s. Default: 40,000.
   */
  idleTimeoutMs?: number
}

const IDLE_TIMEOUT_MS = 40_000
/** The server's own limit is 16 MiB. */
const MAX_EVENT_CHARACTERS = 32 * 1024 * 1024
const MAX_REFUSAL_BYTES = 256 * 1024

/** Subscriptions as server-sent events, one request each. */
export class EventStreamClient implements LogClient {
  readonly #endpoint: LogEndpoint

  constructor(endpoint: LogEndpoint) {
    this.#endpoint = endpoint
  }

  subscribe(request: LogRequest, sink: LogSink): () => void {
    const leaving = new AbortController()
    let isLeft = false
    void this.#stream(request, sink, leaving).then(
      () => isLeft || sink.complete(),
      (cause: unknown) => isLeft || sink.error(cause),
    )
    return () => {
      isLeft = true
      leaving.abort()
    }
  }

  /** Resolves when the server has completed the subscription. */
  async #stream(request: LogRequest, sink: LogSink, leaving: AbortController): Promise<void> {
    const { url, headers = {}, fetch: send = fetch, idleTimeoutMs = IDLE_TIMEOUT_MS } = this.#endpoint
    const { signal } = leaving
    const idle = new Error(`The server sent nothing for ${idleTimeoutMs} ms.`)
    let timer: ReturnType<typeof setTimeout>
    const allow = () => {
      clearTimeout(timer)
      // A turn later: what arrived while the process stood still is read first.
      const giveUp = () => (timer = setTimeout(() => leaving.abort(idle)))
      timer = setTimeout(giveUp, idleTimeoutMs)
    }
    allow()
    try {
      const response = await send(url, {
        method: 'POST',
        headers: {
          ...(typeof headers === 'function' ? await headers() : headers),
          'content-type': 'application/json',
          accept: 'text/event-stream',
        },
        body: JSON.stringify(request),
        signal,
      })
      const { body } = response
      if (!body || !response.headers.get('content-type')?.startsWith('text/event-stream')) throw await refusal(response)
      const events = new EventReader(sink, signal)
      const decoder = new TextDecoder()
      const reader = body.getReader()
      while (!events.isComplete) {
        const { done, value } = await reader.read()
        // Some proxies complete a stream that was cut off.
        if (done) throw new Error('The stream ended before the log did.')
        allow()
        events.read(decoder.decode(value, { stream: true }))
      }
    } finally {
      clearTimeout(timer!)
      // The rest of the response is not needed.
      leaving.abort()
    }
  }
}

/** The events of one stream. */
class EventReader {
  isComplete = false
  #failure: Error | null = null
  readonly #parser

  constructor(sink: LogSink, signal: AbortSignal) {
    this.#parser = createParser({
      maxBufferSize: MAX_EVENT_CHARACTERS,
      onEvent: ({ event, data }) => {
        if (this.isComplete || signal.aborted) return
        if (event === 'next') sink.next(JSON.parse(data) as LogResult)
        else if (event === 'complete') this.isComplete = true
      },
      onError: (error) => (this.#failure ??= error),
    })
  }

  read(text: string): void {
    this.#parser.feed(text)
    if (this.#failure) throw this.#failure
  }
}

/** Why the server did not start to stream, with its error message if there is one. */
async function refusal(response: Response): Promise<Error> {
  const failure = followLogError(new UnexpectedResponse(response))
  try {
    const { errors } = JSON.parse(await boundedText(response)) as { errors?: LogResultError[] }
    if (!errors?.length) return failure
    const reported = followLogError(errors)
    const { code, retryAfterSeconds, maxRetries } = reported
    return new FollowLogError(reported.message, {
      code,
      errors,
      maxRetries,
      retryAfterSeconds: retryAfterSeconds ?? failure.retryAfterSeconds,
    })
  } catch {
    // The response of a proxy, or none at all.
    return failure
  }
}

async function boundedText(response: Response): Promise<string> {
  const decoder = new TextDecoder()
  const reader = response.body?.getReader()
  let text = ''
  while (reader && text.length <= MAX_REFUSAL_BYTES) {
    const { done, value } = await reader.read()
    if (done) break
    text += decoder.decode(value, { stream: true })
  }
  return text
}
