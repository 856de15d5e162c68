import type { ApiKeys } from './api-keys.ts'
import type { LiveViewLinks } from './live-view-links.ts'
import type { Principal } from './principal.ts'

/** Who is asking: the holder of an API key, or of a link to the live view of one session. */
export class Callers {
  readonly #apiKeys: ApiKeys
  readonly #liveViewLinks: LiveViewLinks

  constructor(apiKeys: ApiKeys, liveViewLinks: LiveViewLinks) {
    this.#apiKeys = apiKeys
    this.#liveViewLinks = liveViewLinks
  }

  /**
   * Who the secret belongs to; null when it is unknown, revoked or expired. Throws TooManyWrongKeys when the address
   * has tried too many.
   */
  async authenticate(secret: string, address: string): Promise<Principal | null> {
    if (this.#liveViewLinks.isToken(secret)) return this.#liveViewLinks.read(secret)
    return this.#apiKeys.authenticate(secret, address)
  }

  /** Calls back once when the principal's secret ceases to be valid. Returns how to stop watching. */
  onInvalid(principal: Principal, listener: () => void): () => void {
    if (principal.sessionId === null || principal.expiresAt === null)
      return this.#apiKeys.onInvalid(principal, listener)
    const leftMs = Math.max(0, principal.expiresAt - Date.now())
    const expiry = setTimeout(listener, leftMs).unref()
    return () => clearTimeout(expiry)
  }
}
