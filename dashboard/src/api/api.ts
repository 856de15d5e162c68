import type { TadaDocumentNode } from 'gql.tada'
import { createClient as createSocket, type Client as Socket } from 'graphql-ws'
import { Client, CombinedError, fetchExchange, stringifyDocument, subscriptionExchange } from 'urql'
import type { LogClient } from '../../../src/client/follow-log.ts'
import { sentenceFor } from './errors.ts'

/** lost: reconnecting. refused: the key is no longer valid; only a new one helps. */
export type ConnectionState = 'connecting' | 'connected' | 'lost' | 'refused'

const FIRST_WAIT_MS = 250
const LONGEST_WAIT_MS = 5_000
const PING_EVERY_MS = 10_000
const PONG_WITHIN_MS = 5_000
/** Close codes of graphql-ws connections whose key is invalid or revoked. */
const REFUSALS = [4401, 4403]

/**
 * Connection to the server: queries over HTTP, subscriptions over one WebSocket. When it breaks, graphql-ws
 * reconnects and resubscribes, to logs at the last cursor.
 */
export class Api {
  readonly client: Client
  /** For logs: urql would treat subscriptions with equal initial variables as one. */
  readonly logs: LogClient
  readonly #socket: Socket
  readonly #listeners = new Set<() => void>()
  readonly #reconnected = new Set<() => void>()
  #state: ConnectionState = 'connecting'
  #wakeUp: () => void = () => {}
  #pong: ReturnType<typeof setTimeout> | undefined

  constructor(apiKey: string) {
    const url = new URL('graphql', document.baseURI)
    const headers = { 'X-API-Key': apiKey }
    this.#socket = createSocket({
      url: url.href.replace(/^http/, 'ws'),
      connectionParams: headers,
      lazyCloseTimeout: 2_000,
      keepAlive: PING_EVERY_MS,
      retryAttempts: Number.POSITIVE_INFINITY,
      retryWait: (retries) => this.#wait(Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** retries)),
      shouldRetry: (cause) => !isRefusal(cause),
      on: {
        connecting: (isRetry) => this.#become(isRetry ? 'lost' : 'connecting'),
        connected: (_socket, _payload, wasRetry) => {
          this.#become('connected')
          if (wasRetry) for (const listener of this.#reconnected) listener()
        },
        closed: (cause) => {
          clearTimeout(this.#pong)
          if (isRefusal(cause)) this.#become('refused')
          else if (!(cause as CloseEvent).wasClean || (cause as CloseEvent).code !== 1000) this.#become('lost')
        },
        ping: (received) => {
          // A connection dropped silently by the network does not close by itself.
          if (!received) this.#pong = setTimeout(() => this.#socket.terminate(), PONG_WITHIN_MS)
        },
        pong: (received) => {
          if (received) clearTimeout(this.#pong)
        },
      },
    })
    this.logs = this.#socket
    this.client = new Client({
      url: url.href,
      fetchOptions: { headers },
      preferGetMethod: false,
      requestPolicy: 'network-only',
      exchanges: [
        fetchExchange,
        subscriptionExchange({
          forwardSubscription: ({ query, variables }) => ({
            subscribe: (sink) => ({
              unsubscribe: this.#socket.subscribe({ query: query ?? '', variables }, sink),
            }),
          }),
        }),
      ],
    })
    addEventListener('online', this.#hurry)
  }

  /** For useSyncExternalStore. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Called each time the connection is restored after it was lost. */
  onReconnect(listener: () => void): () => void {
    this.#reconnected.add(listener)
    return () => this.#reconnected.delete(listener)
  }

  readonly state = (): ConnectionState => this.#state

  /**
   * A subscription to the current state, restarted when the connection was lost. Nothing arrives after `complete` or
   * `fail`.
   */
  follow<Data, Variables extends object>(
    document: TadaDocumentNode<Data, Variables>,
    variables: Variables,
    sink: { next(data: Data): void; complete(): void; fail(problem: string): void },
  ): () => void {
    let stopped = false
    const stop = () => {
      stopped = true
      unsubscribe()
    }
    const unsubscribe = this.#socket.subscribe<Data>(
      { query: stringifyDocument(document), variables: variables as Record<string, unknown> },
      {
        next: ({ data, errors }) => {
          if (stopped) return
          if (!errors) return void (data && sink.next(data))
          // A server that cannot start or continue sends an error and completes; later events would follow a gap.
          stop()
          sink.fail(sentenceFor(new CombinedError({ graphQLErrors: [...errors] })))
        },
        error: (cause) => {
          const graphQLErrors = Array.isArray(cause) ? cause : undefined
          sink.fail(sentenceFor(new CombinedError({ graphQLErrors, networkError: new Error('the connection broke') })))
        },
        complete: () => {
          if (!stopped) sink.complete()
        },
      },
    )
    return stop
  }

  close(): void {
    removeEventListener('online', this.#hurry)
    clearTimeout(this.#pong)
    void this.#socket.dispose()
  }

  readonly #hurry = () => this.#wakeUp()

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms + Math.random() * FIRST_WAIT_MS)
      this.#wakeUp = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  #become(state: ConnectionState): void {
    if (this.#state === state) return
    this.#state = state
    for (const listener of this.#listeners) listener()
  }
}

function isRefusal(cause: unknown): boolean {
  return typeof cause === 'object' && cause !== null && 'code' in cause && REFUSALS.includes(Number(cause.code))
}
