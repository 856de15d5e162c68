import type { Scope } from '../ports/access/scope.ts'

/** A key as it is displayed. Its id is the global id that the API uses. */
export interface ListedKey {
  id: string
  name: string
  owner: string
  scopes: readonly Scope[]
  createdAt: Date
  lastUsedAt: Date | null
  expiresAt: Date | null
  revokedAt: Date | null
}

interface NewKey {
  name: string
  owner: string
  scopes: readonly Scope[]
  expiresAt: Date | null
}

/** The API keys of an installation, for every owner, over either access path. */
export interface KeyAdmin {
  create(key: NewKey): Promise<{ id: string; secret: string }>
  list(): Promise<ListedKey[]>
  revoke(id: string): Promise<ListedKey>
}
