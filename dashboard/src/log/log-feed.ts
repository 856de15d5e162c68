import type { TadaDocumentNode } from 'gql.tada'
import { followLog } from '../../../src/client/follow-log.ts'
import type { Api } from '../api/api.ts'
import { sentenceForFailure } from '../api/errors.ts'
import { LogStore, type LogBatch } from './log-store.ts'

export interface LogVariables {
  session: string
  after?: string | null
}

type LogDocument<Entry, Variables> = TadaDocumentNode<Record<string, LogBatch<Entry>>, Variables>

/** Fills a store from a subscription, from the first entry or from where it was stopped. */
export class LogFeed<Entry extends { readonly sequence: number }, Variables extends LogVariables> {
  readonly store = new LogStore<Entry>()
  readonly document: LogDocument<Entry, Variables>
  readonly variables: Variables
  readonly #api: Api
  #stopping: AbortController | null = null

  constructor(api: Api, document: LogDocument<Entry, Variables>, variables: Variables) {
    this.#api = api
    this.document = document
    this.variables = variables
  }

  start(): void {
    const { store } = this
    // Ends the back-off of a feed that is waiting to retry.
    if (store.complete || (this.#stopping && !store.problem)) return
    this.stop()
    this.#stopping = new AbortController()
    void this.#follow(this.#stopping.signal)
  }

  stop(): void {
    this.#stopping?.abort()
    this.#stopping = null
  }

  /** Runs until the log ends, can no longer be followed, or is stopped. */
  async #follow(signal: AbortSignal): Promise<void> {
    const { store } = this
    const variables = { ...this.variables, after: store.cursor }
    const batches = followLog(this.#api.logs, this.document, variables, {
      signal,
      onRetry: ({ error }) => store.fail(sentenceForFailure(error)),
    })
    try {
      for await (const batch of batches) store.append(batch)
      store.finish()
    } catch (error) {
      if (signal.aborted) return
      this.#stopping = null
      store.fail(sentenceForFailure(error))
    }
  }
}
