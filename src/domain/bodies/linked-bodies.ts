import type { BodyData } from '../../contract/entries/body.ts'
import type { Store } from '../../ports/store.ts'
import type { Bodies } from './bodies.ts'

/** Which of the two bodies of a request. */
export type BodyDirection = 'request' | 'response'

export const BODY_DIRECTIONS: readonly BodyDirection[] = ['request', 'response']

/** The body that a link leads to. */
export interface LinkedBody {
  owner: string
  /** Of the request. */
  url: string
  data: BodyData
}

/** Bodies for whoever holds a signed link to them: found by the entry that has them, wherever their bytes are. */
export class LinkedBodies {
  readonly #store: Pick<Store, 'findSession' | 'findRequestEntry'>
  readonly #bodies: Bodies

  constructor(store: Pick<Store, 'findSession' | 'findRequestEntry'>, bodies: Bodies) {
    this.#store = store
    this.#bodies = bodies
  }

  /** Null: there is none any more. */
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

  /** Null: they cannot be had. */
  bytesOf({ owner, data }: LinkedBody, signal: AbortSignal): Promise<Buffer | null> {
    return this.#bodies.bytesOf(owner, data, signal)
  }
}
