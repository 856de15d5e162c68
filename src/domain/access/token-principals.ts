import { createHash } from 'node:crypto'
import { SCOPES } from '../../ports/access/scope.ts'
import { IdentityProviderDown, type TokenVerifier } from '../../ports/access/token-verifier.ts'
import { FIRST_OWNER } from '../keys/api-keys.ts'
import { TabwireError } from '../kernel/errors.ts'
import type { Principal } from '../kernel/principal.ts'

/** Three parts in base64url, the first a JSON object: the form of a signed JSON Web Token, and of none of our keys. */
const TOKEN = /^eyJ[\w-]*\.[\w-]+\.[\w-]+$/
/** Format of owner names; a claim `sub` has at most 255 ASCII characters (OpenID Connect Core 1.0, 2). */
const SUBJECT = /^[\x21-\x7e]{1,255}$/
const RETRY_AFTER_SECONDS = 5

/** A token cannot be verified now. */
class IdentityProviderUnavailable extends TabwireError {
  override readonly code = 'IDENTITY_PROVIDER_UNAVAILABLE'

  constructor() {
    super('The identity provider cannot be reached, so the token cannot be verified. Try again later.', {
      retryAfterSeconds: RETRY_AFTER_SECONDS,
    })
  }
}

/** Callers with a token of the identity provider (`TABWIRE_OIDC_ISSUER`): each subject is an owner. */
export class TokenPrincipals {
  readonly #verifier: TokenVerifier

  constructor(verifier: TokenVerifier) {
    this.#verifier = verifier
  }

  isToken(secret: string): boolean {
    return TOKEN.test(secret)
  }

  /** Null if the token is invalid. Throws IdentityProviderUnavailable. */
  async read(token: string): Promise<Principal | null> {
    const verified = await this.#verifier.verify(token).catch((error: unknown) => {
      throw error instanceof IdentityProviderDown ? new IdentityProviderUnavailable() : error
    })
    if (!verified || !SUBJECT.test(verified.subject)) return null
    const owner = verified.subject
    // Anyone who can register under that name with the provider would own everything of the first key.
    if (owner === FIRST_OWNER) return null
    const words = new Set(verified.scopes.map((word) => word.toUpperCase()))
    return {
      owner,
      actor: `user:${owner}`,
      scopes: new Set(SCOPES.filter((scope) => words.has(scope))),
      apiKeyId: `token:${createHash('sha256').update(token).digest('base64url')}`,
      expiresAt: verified.expiresAt,
      sessionId: null,
    }
  }
}
