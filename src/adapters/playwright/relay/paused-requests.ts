import { LRUCache } from 'lru-cache'
import { startsWith, type MessageEnds } from '../cdp/pipe/message-text.ts'
import { cutUrl } from '../cdp/protocol/cut-text.ts'
import type { GivenCommand } from './client-view.ts'

const PAUSED = '{"method":"Fetch.requestPaused","params":{"requestId":"'
const MAX_ID = 100
/** Longer than the last member of the event. */
const TAIL_BYTES = 200
const MAX_REMEMBERED = 1_000

/**
 * Requests that the browser has paused for one client, which may have them sent elsewhere. The ids by which a client
 * names them are those of the Fetch domain; recorders know them by those of the Network domain.
 */
export class PausedRequests {
  readonly #requestIds = new LRUCache<string, string>({ max: MAX_REMEMBERED })

  /** An event for the client. Read off its ends, since it may contain megabytes of a body. */
  received(message: Buffer, { sessionId, beforeSession }: MessageEnds, isRoot: boolean): void {
    if (!startsWith(message, PAUSED)) return
    const [fetchId] = /^[\w.-]+(?=")/.exec(message.toString('latin1', PAUSED.length, PAUSED.length + MAX_ID)) ?? []
    const tail = message.toString('latin1', Math.max(0, beforeSession - TAIL_BYTES), beforeSession)
    const [, requestId] = /"networkId":"([\w.-]+)"[^{}[\]]*\}$/.exec(tail) ?? []
    if (fetchId !== undefined && requestId !== undefined)
      this.#requestIds.set(keyOf(isRoot ? null : sessionId, fetchId), requestId)
  }

  /** The request that a command has the browser send elsewhere, and where; null: it does not. */
  rewrittenBy({ method, params, sessionId }: GivenCommand): { requestId: string; url: string } | null {
    const { requestId: fetchId, url } = params
    if (method !== 'Fetch.continueRequest' || typeof fetchId !== 'string' || typeof url !== 'string') return null
    const requestId = this.#requestIds.get(keyOf(sessionId, fetchId))
    return requestId === undefined ? null : { requestId, url: cutUrl(url) }
  }
}

const keyOf = (sessionId: string | null, fetchId: string) => `${sessionId ?? ''} ${fetchId}`
