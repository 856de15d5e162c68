import type { LogClient, LogRequest, LogResult, LogSink } from '../../src/client/follow-log.ts'

/** A subscription as the server would see it. */
export interface ScriptedSubscription {
  readonly query: string
  /** Read again each time, as by a client that resubscribes. */
  variables(): Record<string, unknown>
  readonly sink: LogSink
  isOpen: boolean
}

/** A client whose server is played by the test. */
export class ScriptedClient implements LogClient {
  readonly subscriptions: ScriptedSubscription[] = []

  subscribe({ query, variables }: LogRequest, sink: LogSink): () => void {
    const read = () => JSON.parse(JSON.stringify(variables)) as Record<string, unknown>
    const subscription: ScriptedSubscription = { query, variables: read, sink, isOpen: true }
    this.subscriptions.push(subscription)
    return () => (subscription.isOpen = false)
  }

  get last(): ScriptedSubscription {
    return this.subscriptions.at(-1)!
  }
}

/** A batch with entries of these sequences. */
export const lines = (...sequences: number[]): LogResult => ({
  data: {
    consoleMessages: {
      entries: sequences.map((sequence) => ({ sequence })),
      cursor: `c${sequences.at(-1)}`,
      live: true,
      dropped: 0,
      droppedUnknown: false,
    },
  },
})
