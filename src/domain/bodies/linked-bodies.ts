import type { BodyData } from '../../contract/entries/body.ts'
import type { Store } from '../../ports/store/store.ts'
import type { Bodies } from './bodies.ts'

/** The request's or the response's body. */
export type BodyDirection = 'request' | 'response'

export const BODY_DIRECTIONS: readonly BodyDirection[] = ['request', 'response']

/** The target of a link. */
export interface LinkedBody {
  owner: string
  /** Of the request. */
  url: string
  data: BodyData
}

/** Bodies for holders of a signed link: found through their entry, inline or stored separately. */
export class LinkedBodies {
  readonly #store: Pick<Store, 'findSession' | 'findRequestEntry'>
  readonly #bodies: Bodies

  constructor(store: Pick<Store, 'findSession' | 'findRequestEntry'>, bodies: Bodies) {
    this.#store = store
    this.#bodies = bodies
  }

  /** Null: it no longer exists. */
  async find(sessionId: string, requestId: number, direction: BodyDirection): Promise<LinkedBody | null> {
    const [session, entry] = await Promise.all([
      this.#store.findSession(sessionId),
      this.#store.findRequestEntry(sessionId, requestId),
    ])
    if (!session || entry?.kind !== 'NETWORK_REQUEST') return null
    const { url, requestBody, responseBody } = entry.data
    const data = direction === 'request' ? requestBody : responseBody
    return data && { owner: session.owner, url, data }
  }

  /** Null: unavailable. */
  bytesOf({ owner, data }: LinkedBody, signal: AbortSignal): Promise<Buffer | null> {
    return this.#bodies.bytesOf(owner, data, signal)
  }
}
