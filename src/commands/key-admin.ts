import type { Scope } from '../ports/scope.ts'

/** A key as people see it. The id is the global id that the API uses too. */
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

/** The API keys of an installation, of every owner, whichever way they are reached. */
export interface KeyAdmin {
  create(key: NewKey): Promise<{ id: string; secret: string }>
  list(): Promise<ListedKey[]>
  revoke(id: string): Promise<ListedKey>
}
