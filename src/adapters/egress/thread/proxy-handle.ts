import { AsyncResource } from 'node:async_hooks'
import { Deadline } from '../../../async/deadline.ts'
import type { ConnectionOutcome, EgressPolicy, EgressProxy, WebSocketEnd } from '../../../ports/egress/egress.ts'
import { faultOwner } from '../../../fault-owner.ts'
import type { FromWorker, ToWorker, WorkerReport } from './worker-messages.ts'

/** Time limit of a request to the thread, including its start. */
const ANSWER_MS = 30_000
/** Delay before a port that is in use is tried again. */
const RETRY_MS = 1_000

/** The egress proxies are down; all traffic is blocked. */
export class EgressUnavailable extends Error {
  constructor(reason: string) {
    super(`The egress proxy is unavailable: ${reason}.`)
    this.name = 'EgressUnavailable'
  }
}

interface Assigned {
  assignment: number
  policy: EgressPolicy
  report: (outcome: ConnectionOutcome) => void
  reportEnd: (end: WebSocketEnd) => void
}

/** A fault in the listener belongs to the owner of the assignment, not to that of the thread. */
function guarded<T>(report: (reported: T) => void): (reported: T) => void {
  const owner = faultOwner()
  return (reported) => {
    try {
      report(reported)
    } catch (error) {
      if (!owner) throw error
      owner.fail(error)
    }
  }
}

interface Wait {
  resolve: () => void
  reject: (error: Error) => void
}

/** The server's handle of a proxy in the worker thread, with all that is needed to reopen it in another thread. */
export class ProxyHandle implements EgressProxy {
  readonly #id: number
  readonly #post: (message: ToWorker) => boolean
  readonly #forget: () => void
  readonly #waits = new Map<string, Wait>()
  #port = 0
  #assigned: Assigned | null = null
  #lastAssignment = 0
  #unreportedCount = 0
  #retry: NodeJS.Timeout | undefined
  #closing: Promise<void> | null = null

  /** `post` sends to the current thread and returns false if there is none. `forget`: it is not to be reopened. */
  constructor(id: number, post: (message: ToWorker) => boolean, forget: () => void) {
    this.#id = id
    this.#post = post
    this.#forget = forget
  }

  get port(): number {
    return this.#port
  }

  get unreportedCount(): number {
    return this.#unreportedCount
  }

  /** Resolves when it listens. The caller starts the thread. */
  async opened(): Promise<void> {
    await this.#answer('opened')
  }

  async assign(
    policy: EgressPolicy,
    report: (outcome: ConnectionOutcome) => void,
    reportEnd: (end: WebSocketEnd) => void = () => {},
  ): Promise<void> {
    if (this.#closing) throw new EgressUnavailable('it has been closed')
    const assignment = (this.#lastAssignment += 1)
    this.#assigned = {
      assignment,
      policy,
      report: AsyncResource.bind(guarded(report)),
      reportEnd: AsyncResource.bind(guarded(reportEnd)),
    }
    const answer = this.#answer(`assigned ${assignment}`)
    this.#post({ kind: 'assign', id: this.#id, assignment, policy })
    await answer
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  /** Sends its state to a new thread. The policy is in force before the port is open. */
  replay(): void {
    clearTimeout(this.#retry)
    const { assignment, policy } = this.#assigned ?? {}
    this.#post({ kind: 'open', id: this.#id, port: this.#port })
    if (policy && assignment !== undefined) this.#post({ kind: 'assign', id: this.#id, assignment, policy })
  }

  /** The thread ended; the port is closed. */
  threadEnded(): void {
    clearTimeout(this.#retry)
    this.#settle('closed')
  }

  /** The server is shutting down. */
  abandon(): void {
    this.#closing ??= Promise.resolve()
    clearTimeout(this.#retry)
    for (const { reject } of this.#waits.values()) reject(new EgressUnavailable('the server is shutting down'))
  }

  receive(message: Exclude<WorkerReport, { kind: 'pong' }>): void {
    switch (message.kind) {
      case 'opened':
        this.#port = message.port
        return this.#settle('opened')
      case 'notOpened':
        return this.#notOpened(message.reason)
      case 'assigned':
        return this.#settle(`assigned ${message.assignment}`)
      case 'closed':
        return this.#settle('closed')
      case 'outcome':
        return this.#report(message)
      case 'socketEnd':
        if (!this.#closing && message.assignment === this.#assigned?.assignment) this.#assigned.reportEnd(message.end)
        return undefined
    }
  }

  #report({ assignment, outcome, unreported }: FromWorker & { kind: 'outcome' }): void {
    // Outcomes of an earlier policy are not for the current listener.
    if (this.#closing || assignment !== this.#assigned?.assignment) return
    this.#unreportedCount = unreported
    this.#assigned.report(outcome)
  }

  #notOpened(reason: string): void {
    if (this.#port === 0) this.#waits.get('opened')?.reject(new EgressUnavailable(reason))
    else if (!this.#closing) this.#retry = setTimeout(() => this.replay(), RETRY_MS)
  }

  async #close(): Promise<void> {
    clearTimeout(this.#retry)
    try {
      const answer = this.#answer('closed')
      // Without a thread, the port is closed already.
      if (!this.#post({ kind: 'close', id: this.#id })) this.#settle('closed')
      await answer
    } finally {
      this.#forget()
    }
  }

  async #answer(name: string): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#waits.set(name, { resolve, reject })
    using deadline = new Deadline(ANSWER_MS, [], () => new EgressUnavailable('its thread does not answer'))
    try {
      await deadline.race(promise)
    } finally {
      this.#waits.delete(name)
    }
  }

  #settle(name: string): void {
    this.#waits.get(name)?.resolve()
  }
}
