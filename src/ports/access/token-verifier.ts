/** Claims of an identity provider's token, after verification. */
export interface VerifiedToken {
  /** The claim `sub`: the subject of the token. */
  subject: string
  /** The words of the claim `scope`, as issued. */
  scopes: readonly string[]
  /** The claim `exp`, in milliseconds since the epoch. */
  expiresAt: number
}

/** Verifies bearer tokens of the one identity provider that the server trusts. */
export interface TokenVerifier {
  /**
   * Null if the token is malformed, expired, for another audience or signed with an unknown key. Rejects with
   * IdentityProviderDown if the provider's keys are needed and unavailable.
   */
  verify(token: string): Promise<VerifiedToken | null>
  /** Stops refreshing the provider's keys. */
  close(): void
}

/** The identity provider does not respond, and no known key of it can verify the token. */
export class IdentityProviderDown extends Error {
  constructor(cause: unknown) {
    super('the identity provider cannot be reached', { cause })
    this.name = 'IdentityProviderDown'
  }
}
