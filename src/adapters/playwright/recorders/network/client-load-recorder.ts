import { withoutBodies } from '../../../../contract/entries/body.ts'
import { outcomeOfFailure } from '../../../../contract/entries/network-request.ts'
import type { EventSink } from '../../../../ports/browser/browser.ts'
import { TEXT_LIMITS, type CutFailure, type PendingRequest } from '../../../../ports/log/log-entry.ts'
import type { LoadedResource } from '../../cdp/protocol/loaded-resource.ts'
import { cutText, cutUrl } from '../../cdp/protocol/cut-text.ts'
import { blockedBy, type ConnectionOutcomes } from '../../network/connection-outcomes.ts'
import { headerOf, headersOf, type Headers } from '../exchanges/network-headers.ts'

const METHOD = 'Network.loadNetworkResource'
/** Most pending loads of clients; more are counted as dropped. */
const MAX_PENDING = 1_000

interface ClientLoad {
  /** The browser responded; `failure`: it did not execute the command. Null: the response is unknown. */
  answered(failure: string | null, targetId?: string | null, resource?: LoadedResource | null): void
  refused(): void
  pageClosed(): void
  disconnected(): void
}

type Ending = Pick<LoadEnd, 'failure'> & Partial<LoadEnd>

interface LoadEnd {
  failure: string | null
  status: number | null
  headers: Headers | null
  isUnknown: boolean
}

/**
 * Resources that clients make the browser load outside of its pages, such as source maps. No events report these
 * requests: only the command's parameters and its result are known, which is that of a redirect's last hop.
 */
export class ClientLoadRecorder {
  readonly #recorder: Pick<EventSink, 'record' | 'requestStarted' | 'missed'>
  readonly #connections: Pick<ConnectionOutcomes, 'explain' | 'refusingRule'>
  readonly #nextNumber: () => number
  /** Functions that end the pending loads. */
  readonly #pending = new Set<(end: Ending) => void>()

  constructor(
    recorder: Pick<EventSink, 'record' | 'requestStarted' | 'missed'>,
    connections: Pick<ConnectionOutcomes, 'explain' | 'refusingRule'>,
    nextNumber: () => number,
  ) {
    this.#recorder = recorder
    this.#connections = connections
    this.#nextNumber = nextNumber
  }

  /** Call before a command is sent. Returns the receiver of its response; null: it loads nothing over the network. */
  begin(method: string, params: Readonly<Record<string, unknown>>, pageId: string | null): ClientLoad | null {
    const given = method === METHOD ? params['url'] : null
    const url = typeof given === 'string' ? URL.parse(given) : null
    if (!url || !/^https?:$/.test(url.protocol)) return null
    const requestId = this.#nextNumber()
    if (this.#pending.size >= MAX_PENDING) {
      this.#recorder.missed('NETWORK_REQUEST', 'FLOOD')
      return null
    }
    const startedAt = Date.now()
    const request = {
      requestId,
      startedAt,
      url: cutUrl(url.href),
      method: 'GET',
      resourceType: 'OTHER',
      pageId,
    } as const
    this.#recorder.requestStarted({ ...request, status: null, responseHeaders: null, responseBytes: 0 })
    const end = (ending: Ending) => {
      if (this.#pending.delete(end)) this.#write(request, { status: null, headers: null, isUnknown: false, ...ending })
    }
    this.#pending.add(end)
    const unknown = () => end({ failure: null, isUnknown: true })
    return {
      answered: (failure, _targetId, resource) => {
        if (failure !== null) return end({ failure })
        if (!resource) return unknown()
        const status = resource.httpStatusCode ?? null
        const headers = resource.headers ?? null
        if (resource.success || status !== null) return end({ failure: null, status, headers })
        const why = resource.netErrorName ?? 'failed'
        return this.#connections.explain(why, request.url, startedAt, (reported) => end({ failure: reported }))
      },
      refused: () => end({ failure: blockedBy(this.#connections.refusingRule(url) ?? 'egress') }),
      pageClosed: () => end({ failure: 'page closed' }),
      disconnected: unknown,
    }
  }

  /** At the end of the session: cuts pending loads. */
  flush(cutBy: CutFailure): void {
    for (const end of this.#pending) end({ failure: cutBy })
  }

  #write(
    request: Pick<PendingRequest, 'requestId' | 'startedAt' | 'url' | 'method' | 'resourceType' | 'pageId'>,
    { failure, status, headers, isUnknown }: LoadEnd,
  ): void {
    const now = Date.now()
    const mimeType = headers ? headerOf(headers, 'content-type')?.split(';', 1)[0]?.trim().toLowerCase() : null
    const data = {
      ...request,
      status,
      statusText: null,
      outcome: isUnknown ? 'UNKNOWN' : outcomeOfFailure(failure),
      failure: failure === null ? null : cutText(failure, TEXT_LIMITS.failure),
      durationMs: Math.max(0, now - request.startedAt),
      requestBytes: 0,
      responseBytes: null,
      fromCache: false,
      servedBy: null,
      mimeType: cutText(mimeType ?? '', TEXT_LIMITS.requestFact) || null,
      protocol: null,
      priority: null,
      isNavigation: false,
      frame: null,
      initiator: { type: 'OTHER', url: null, line: null, column: null, stack: null, requestId: null },
      redirectedFrom: null,
      requestHeaders: {},
      responseHeaders: headers && headersOf(headers),
      cookiesSent: null,
      cookiesSet: null,
      cookiesOmitted: 0,
      timing: null,
      remoteAddress: null,
      ...withoutBodies(null, status === null ? null : 'NOT_CAPTURED'),
    } as const
    this.#recorder.record({ kind: 'NETWORK_REQUEST', at: now, data })
  }
}
