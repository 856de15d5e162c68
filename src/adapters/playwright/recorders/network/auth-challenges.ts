import { LRUCache } from 'lru-cache'
import type { AuthorizationRedaction } from '../../captures/authorization-redaction.ts'
import type { CdpConnection } from '../../cdp/connection/cdp-connection.ts'

/** Most remembered requests that may yet be challenged. */
const MAX_REMEMBERED = 2_000

/**
 * Challenges of servers that Playwright meets with the session's credentials, once a request: the browser reports
 * nothing else of a response that required them.
 */
export class AuthChallenges {
  /** Requests that Playwright continues, by their ids in the Fetch domain. */
  readonly #fetches = new LRUCache<string, string>({ max: MAX_REMEMBERED })
  #credentials: Pick<AuthorizationRedaction, 'areFor'> | null = null

  /** `met`: called with the browser's id of a request that is about to be sent again, and the scheme. */
  constructor(connection: CdpConnection, met: (chainId: string, scheme: string) => void) {
    connection.on('Fetch.requestPaused', ({ requestId, networkId }) => {
      if (this.#credentials === null || networkId === undefined) return
      this.#fetches.set(requestId, networkId)
    })
    connection.on('Fetch.authRequired', ({ requestId, request, authChallenge }) => {
      const chainId = this.#fetches.get(requestId)
      if (chainId === undefined || authChallenge.source === 'Proxy' || !this.#credentials?.areFor(request.url)) return
      // On a second challenge it does not send them again.
      this.#fetches.delete(requestId)
      met(chainId, authChallenge.scheme)
    })
  }

  /** Without credentials, challenges are not followed. */
  expect(credentials: Pick<AuthorizationRedaction, 'areFor'>): void {
    this.#credentials = credentials
  }
}
