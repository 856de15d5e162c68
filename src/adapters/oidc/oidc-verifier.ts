import { createRemoteJWKSet, customFetch, errors, jwtVerify, type JWTPayload, type RemoteJWKSet } from 'jose'
import { z } from 'zod'
import type { OidcConfig } from '../../config.ts'
import type { Logger } from '../../logger.ts'
import { unowned } from '../../fault-owner.ts'
import { IdentityProviderDown, type TokenVerifier, type VerifiedToken } from '../../ports/access/token-verifier.ts'
import { fetchBounded } from './bounded-fetch.ts'

export interface OidcTiming {
  /** How often the metadata and keys are refreshed: a key that the provider withdraws is accepted for this long. */
  refreshMs: number
  /**
   * After a fetch, a token signed with an unknown key triggers no other one for this long; after a failed fetch,
   * nothing does.
   */
  cooldownMs: number
  fetchMs: number
}

const TIMING: OidcTiming = { refreshMs: 60_000, cooldownMs: 3_000, fetchMs: 5_000 }

/** Asymmetric ones only: with a symmetric one, the provider's public key would be a secret to sign with (RFC 8725, 2.1). */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519']
/** How far the provider's clock may be ahead of ours. A token is never accepted after its `exp`. */
const CLOCK_SKEW_SECONDS = 30
/** A later time cannot be stored or represented: such a token ends then. */
const LATEST_EXPIRY_MS = Date.UTC(9999, 11, 31)
/** Longer than any access token; HTTP headers have 16 KiB in all. */
const MAX_CHARACTERS = 12_000

const metadata = z.object({ issuer: z.string(), jwks_uri: z.url() })

/**
 * Verifies JSON Web Tokens of an OpenID Connect provider. Its keys are discovered with the first token, and refreshed
 * regularly; while the provider is down, the known keys remain valid.
 */
export class OidcVerifier implements TokenVerifier {
  readonly #config: OidcConfig
  readonly #logger: Logger
  readonly #timing: OidcTiming
  readonly #closing = new AbortController()
  #keys: { uri: string; set: RemoteJWKSet } | null = null
  #discovering: Promise<RemoteJWKSet> | null = null
  #failedAt = Number.NEGATIVE_INFINITY
  #refreshTimer: NodeJS.Timeout | undefined

  constructor(config: OidcConfig, logger: Logger, timing: Partial<OidcTiming> = {}) {
    this.#config = config
    this.#logger = logger
    this.#timing = { ...TIMING, ...timing }
  }

  async verify(token: string): Promise<VerifiedToken | null> {
    if (token.length > MAX_CHARACTERS) return null
    try {
      const set = this.#keys?.set ?? (await this.#discover())
      const { payload } = await jwtVerify(token, set, {
        issuer: this.#config.issuer,
        audience: this.#config.audience,
        algorithms: ALGORITHMS,
        clockTolerance: CLOCK_SKEW_SECONDS,
        requiredClaims: ['sub', 'exp'],
      })
      return verifiedOf(payload)
    } catch (error) {
      if (isRefusal(error)) {
        this.#logger.debug({ reason: error.message }, 'a bearer token was refused')
        return null
      }
      throw new IdentityProviderDown(error)
    }
  }

  close(): void {
    this.#closing.abort()
    clearTimeout(this.#refreshTimer)
  }

  /** One lookup, shared by all waiting callers. */
  #discover(): Promise<RemoteJWKSet> {
    this.#discovering ??= this.#fetchKeys().finally(() => {
      this.#discovering = null
    })
    return this.#discovering
  }

  async #fetchKeys(): Promise<RemoteJWKSet> {
    const uri = await this.#findKeys()
    if (this.#keys?.uri === uri) {
      await this.#keys.set.reload()
      return this.#keys.set
    }
    const set = createRemoteJWKSet(new URL(uri), {
      timeoutDuration: this.#timing.fetchMs,
      cooldownDuration: this.#timing.cooldownMs,
      // Keys survive an outage of the provider; the refresh below replaces them while it is up.
      cacheMaxAge: Number.POSITIVE_INFINITY,
      [customFetch]: (url, init) => this.#fetch(url, init.signal),
    })
    await set.reload()
    this.#keys = { uri, set }
    this.#scheduleRefresh()
    return set
  }

  /** The URL of the provider's keys: OpenID Connect Discovery 1.0, section 4. */
  async #findKeys(): Promise<string> {
    const { issuer } = this.#config
    const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
    const response = await this.#fetch(url, AbortSignal.timeout(this.#timing.fetchMs))
    const found = metadata.parse(await response.json())
    if (found.issuer !== issuer) throw new Error(`${url} is the metadata of another issuer: ${found.issuer}`)
    // Anyone who can change the keys in transit can sign tokens.
    if (new URL(issuer).protocol === 'https:' && new URL(found.jwks_uri).protocol !== 'https:') {
      throw new Error(`${url} names keys that are not published over https: ${found.jwks_uri}`)
    }
    return found.jwks_uri
  }

  async #fetch(url: string, signal: AbortSignal): Promise<Response> {
    // A flood of tokens must not become a flood of requests to a provider that is down.
    if (performance.now() - this.#failedAt < this.#timing.cooldownMs) throw new Error('the last request just failed')
    try {
      return await fetchBounded(url, { signal: AbortSignal.any([signal, this.#closing.signal]) })
    } catch (error) {
      this.#failedAt = performance.now()
      throw error
    }
  }

  #scheduleRefresh(): void {
    clearTimeout(this.#refreshTimer)
    const refresh = () => {
      this.#discover()
        .catch((error: unknown) => {
          if (this.#closing.signal.aborted) return
          this.#logger.warn({ err: error }, 'the keys of the identity provider could not be refreshed; known keys stay')
        })
        .finally(() => {
          if (!this.#closing.signal.aborted) this.#scheduleRefresh()
        })
    }
    this.#refreshTimer = unowned(() => setTimeout(refresh, this.#timing.refreshMs).unref())
  }
}

/** Whether the token itself is invalid; otherwise its keys were unavailable. */
function isRefusal(error: unknown): error is errors.JOSEError {
  return (
    error instanceof errors.JOSEError && error.code !== 'ERR_JOSE_GENERIC' && !(error instanceof errors.JWKSTimeout)
  )
}

function verifiedOf({ sub, exp, scope }: JWTPayload): VerifiedToken | null {
  // jose only requires a subject: a number would become another user's name.
  if (typeof sub !== 'string' || exp === undefined || exp * 1000 <= Date.now()) return null
  // RFC 8693, 4.2: words separated by spaces; some providers use an array.
  const words = Array.isArray(scope) ? scope : typeof scope === 'string' ? scope.split(' ') : []
  return {
    subject: sub,
    scopes: words.filter((word) => typeof word === 'string'),
    expiresAt: Math.min(exp * 1000, LATEST_EXPIRY_MS),
  }
}
