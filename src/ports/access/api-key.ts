import type { Scope } from './scope.ts'

export interface ApiKeyRecord {
  id: string
  owner: string
  name: string
  /** Hex SHA-256 of the secret: it has 256 bits of entropy, so no slow hash is needed. */
  secretHash: string
  scopes: Scope[]
  createdAt: number
  lastUsedAt: number | null
  expiresAt: number | null
  revokedAt: number | null
}

/** The name of keys created by signing in (domain/keys/sign-in.ts); they are deleted after they expire. */
export const SIGN_IN_KEY_NAME = 'Signed in by link'
