import { withoutBodies } from '../../../contract/entries/body.ts'
import type { CutFailure, EntryDraft, PendingRequest, RequestProgress } from '../../../ports/log/log-entry.ts'

/** Pending requests: state of a session, not yet entries (guarantee 8). */
export class PendingRequests {
  readonly #requests = new Map<number, PendingRequest>()
  /** Requests recorded as cut by the session's end: a later response changes no entry. */
  readonly #endedWithSession = new Set<number>()

  get size(): number {
    return this.#requests.size
  }

  add(request: PendingRequest): void {
    this.#requests.set(request.requestId, request)
  }

  /** False if there is no such pending request. */
  progressed({ requestId, ...progress }: RequestProgress): boolean {
    const request = this.#requests.get(requestId)
    if (request) this.#requests.set(requestId, { ...request, ...progress })
    return request !== undefined
  }

  /** False if it was recorded as cut by the session's end. */
  settled(requestId: number): boolean {
    this.#requests.delete(requestId)
    return !this.#endedWithSession.has(requestId)
  }

  /** Oldest first. */
  list(limit: number): PendingRequest[] {
    return [...this.#requests.values()].slice(0, limit)
  }

  /**
   * At a graceful end: entries of pending requests that the browser did not report in time, with the facts known
   * here.
   */
  endAll(failure: CutFailure, at: number): EntryDraft<'NETWORK_REQUEST'>[] {
    const drafts = [...this.#requests.values()].map((request): EntryDraft<'NETWORK_REQUEST'> => ({
      kind: 'NETWORK_REQUEST',
      at,
      data: {
        ...request,
        statusText: null,
        outcome: 'CUT_BY_END',
        failure,
        durationMs: Math.max(0, at - request.startedAt),
        requestBytes: null,
        responseBytes: request.status === null ? null : request.responseBytes,
        fromCache: false,
        servedBy: null,
        mimeType: null,
        protocol: null,
        priority: null,
        isNavigation: request.resourceType === 'DOCUMENT',
        frame: null,
        initiator: null,
        redirectedFrom: null,
        requestHeaders: {},
        cookiesSent: null,
        cookiesSet: null,
        cookiesOmitted: 0,
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
