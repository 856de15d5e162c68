import { withoutBodies } from '../../contract/entries/body.ts'
import type { EntryDraft, PendingRequest } from '../../ports/log-entry.ts'

/** Requests in flight: state of a session, not yet entries (guarantee 8). */
export class PendingRequests {
  readonly #requests = new Map<number, PendingRequest>()
  /** Of those that were told to have ended with the session: an answer that comes later changes no entry. */
  readonly #endedWithSession = new Set<number>()

  get size(): number {
    return this.#requests.size
  }

  add(request: PendingRequest): void {
    this.#requests.set(request.requestId, request)
  }

  /** False: it was told to have ended with the session. */
  settled(requestId: number): boolean {
    this.#requests.delete(requestId)
    return !this.#endedWithSession.has(requestId)
  }

  /** Oldest first. */
  list(limit: number): PendingRequest[] {
    return [...this.#requests.values()].slice(0, limit)
  }

  /** At an orderly end: entries that say how those in flight ended. */
  endAll(failure: string, at: number): EntryDraft<'NETWORK_REQUEST'>[] {
    const drafts = [...this.#requests.values()].map((request): EntryDraft<'NETWORK_REQUEST'> => ({
      kind: 'NETWORK_REQUEST',
      at,
      data: {
        ...request,
        status: null,
        failure,
        durationMs: Math.max(0, at - request.startedAt),
        requestBytes: null,
        responseBytes: null,
        fromCache: false,
        redirectedFrom: null,
        requestHeaders: {},
        responseHeaders: null,
        timing: null,
        remoteAddress: null,
        ...withoutBodies('STREAMING', 'STREAMING'),
      },
    }))
    for (const requestId of this.#requests.keys()) this.#endedWithSession.add(requestId)
    this.#requests.clear()
    return drafts
  }
}
