import type { TadaDocumentNode } from 'gql.tada'
import type { Api } from './api.ts'
import { LogStore, type LogBatch } from './log-store.ts'

export interface LogVariables {
  session: string
  after?: string | null
}

/** Fills a store from a subscription: from the first entry on, or from where it was stopped. */
export class LogFeed<Entry extends { readonly sequence: number }, Data, Variables extends LogVariables> {
  readonly store = new LogStore<Entry>()
  readonly document: TadaDocumentNode<Data, Variables>
  readonly variables: Variables
  readonly #api: Api
  readonly #batchOf: (data: Data) => LogBatch<Entry>
  #stop: (() => void) | null = null

  constructor(
    api: Api,
    document: TadaDocumentNode<Data, Variables>,
    variables: Variables,
    batchOf: (data: Data) => LogBatch<Entry>,
  ) {
    this.#api = api
    this.document = document
    this.variables = variables
    this.#batchOf = batchOf
  }

  start(): void {
    const { store } = this
    if (this.#stop || store.complete) return
    const variables = { ...this.variables }
    // Read each time that the subscription is sent: after the connection broke, that is where the log goes on.
    Object.defineProperty(variables, 'after', { enumerable: true, get: () => store.cursor })
    this.#stop = this.#api.follow(this.document, variables, {
      next: (data) => store.append(this.#batchOf(data)),
      complete: () => store.finish(),
      fail: (problem) => {
        this.#stop = null
        store.fail(problem)
      },
    })
  }

  stop(): void {
    this.#stop?.()
    this.#stop = null
  }
}
