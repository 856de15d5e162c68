import { atTime } from '../kernel/at-time.ts'
import type { ApiKeys } from '../keys/api-keys.ts'
import type { LiveViewLinks } from '../links/live-view-links.ts'
import type { Principal } from '../kernel/principal.ts'
import type { TokenPrincipals } from './token-principals.ts'

/**
 * Identifies the caller: the holder of an API key, of a token of the identity provider, or of a link to one session's
 * live view.
 */
export class Authenticator {
  readonly #apiKeys: ApiKeys
  readonly #liveViewLinks: LiveViewLinks
  readonly #tokens: TokenPrincipals | null

  /** `tokens`: null if no identity provider is configured. */
  constructor(apiKeys: ApiKeys, liveViewLinks: LiveViewLinks, tokens: TokenPrincipals | null = null) {
    this.#apiKeys = apiKeys
    this.#liveViewLinks = liveViewLinks
    this.#tokens = tokens
  }

  /**
   * The owner of the secret; null if it is unknown, revoked or expired. Throws TooManyWrongKeys if the address has
   * tried too many, or IdentityProviderUnavailable.
   */
  async authenticate(secret: string, address: string): Promise<Principal | null> {
    if (this.#liveViewLinks.isToken(secret)) return this.#liveViewLinks.read(secret)
    if (this.#tokens?.isToken(secret)) return this.#tokens.read(secret)
    return this.#apiKeys.authenticate(secret, address)
  }

  /** Calls back once when the principal's secret becomes invalid. Returns a function that stops watching. */
  onInvalid(principal: Principal, listener: () => void): () => void {
    const { actor, expiresAt, sessionId } = principal
    if (sessionId !== null) return this.#liveViewLinks.onInvalid(principal, listener)
    if (actor.startsWith('key:') || expiresAt === null) return this.#apiKeys.onInvalid(principal, listener)
    return atTime(expiresAt, listener)
  }
}
