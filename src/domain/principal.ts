import type { Scope } from '../ports/store.ts'
import { TabwireError } from './errors.ts'

/** Who is asking: the owner whose sessions they are, and what the key allows. */
export interface Principal {
  readonly owner: string
  readonly scopes: ReadonlySet<Scope>
  /** UUID of the API key. */
  readonly apiKeyId: string
  /** Milliseconds since the epoch; null: never. */
  readonly expiresAt: number | null
}

export class Unauthenticated extends TabwireError {
  override readonly code = 'UNAUTHENTICATED'

  constructor() {
    super('A valid API key is needed: send it as X-API-Key or as Authorization: Bearer.')
  }
}

export class Forbidden extends TabwireError {
  override readonly code = 'FORBIDDEN'
}

/** Throws Unauthenticated without a principal and Forbidden when its key lacks the scope. ADMIN includes no other. */
export function requireScope(principal: Principal | null, scope: Scope): Principal {
  if (!principal) throw new Unauthenticated()
  if (!principal.scopes.has(scope)) throw new Forbidden(`This API key lacks the scope ${scope}.`)
  return principal
}
