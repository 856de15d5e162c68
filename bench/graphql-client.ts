import { Agent, request } from 'node:http'
import { createClient, type Client } from 'graphql-ws'
import WebSocket from 'ws'

interface Answer<T> {
  data?: T | null
  errors?: { message: string }[]
}

/** GraphQL over HTTP keep-alive connections, and over WebSocket: a minimal client, to measure the server. */
export class GraphqlClient {
  readonly #endpoint: URL
  readonly #apiKey: string
  /** The server closes connections that were idle for 5 s: one that it is about to close is not used. */
  readonly #agent = new Agent({ keepAlive: true, timeout: 4_000 })
  #socket: Client | null = null

  constructor(url: string, apiKey: string) {
    this.#endpoint = new URL('/graphql', url)
    this.#apiKey = apiKey
  }

  /** The same server with another caller's key. */
  withKey(apiKey: string): GraphqlClient {
    return new GraphqlClient(this.#endpoint.origin, apiKey)
  }

  /** Runs one operation over HTTP that must succeed. */
  async query<T>(query: string, variables: Record<string, unknown> = {}): Promise<T> {
    const { data, errors } = JSON.parse(await this.#post(JSON.stringify({ query, variables }))) as Answer<T>
    if (errors || !data) throw new Error(`the operation failed: ${JSON.stringify(errors)}`)
    return data
  }

  /** Results of a subscription over WebSocket; leaving the loop unsubscribes. */
  subscribe<T>(query: string, variables: Record<string, unknown> = {}): AsyncIterableIterator<T> {
    this.#socket ??= createClient({
      url: this.#endpoint.href.replace('http', 'ws'),
      webSocketImpl: WebSocket,
      connectionParams: { 'X-API-Key': this.#apiKey },
      // One socket for all subscriptions, so that no run includes the handshake. A failure reaches the subscriptions.
      lazy: false,
      onNonLazyError: () => {},
      retryAttempts: 0,
    })
    const results = this.#socket.iterate<T>({ query, variables })
    return (async function* data() {
      for await (const { data: value, errors } of results) {
        if (errors || !value) throw new Error(`the subscription failed: ${JSON.stringify(errors)}`)
        yield value
      }
    })()
  }

  async close(): Promise<void> {
    await this.#socket?.dispose()
    this.#agent.destroy()
  }

  #post(body: string): Promise<string> {
    const headers = {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      accept: 'application/json',
      'x-api-key': this.#apiKey,
    }
    return new Promise((resolve, reject) => {
      const sent = request(this.#endpoint, { method: 'POST', agent: this.#agent, headers }, (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => (text += chunk))
        response.on('end', () => resolve(text))
        response.on('error', reject)
      })
      sent.on('error', reject)
      sent.end(body)
    })
  }
}
