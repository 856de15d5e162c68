/** What a token of the identity provider says, once it has been verified. */
export interface VerifiedToken {
  /** The claim `sub`: who the token was issued for. */
  subject: string
  /** The words of the claim `scope`, as they were issued. */
  scopes: readonly string[]
  /** The claim `exp`, in milliseconds since the epoch. */
  expiresAt: number
}

/** Verifies bearer tokens of the one identity provider that the server trusts. */
export interface TokenVerifier {
  /**
   * Null when the token is malformed, expired, meant for someone else or signed by nobody known. Rejects with
   * IdentityProviderDown when the provider's keys are needed and cannot be had.
   */
  verify(token: string): Promise<VerifiedToken | null>
  /** Stops refreshing the provider's keys. */
  close(): void
}

/** The identity provider does not answer, and none of its keys is known that could verify the token. */
export class IdentityProviderDown extends Error {
  constructor(cause: unknown) {
    super('the identity provider cannot be reached', { cause })
    this.name = 'IdentityProviderDown'
  }
}
