import type { Scope } from '../ports/store.ts'
import { NotFound, TabwireError } from './errors.ts'

/** Who is asking: on whose behalf, and what the key, token or link allows. */
export interface Principal {
  /** Whose sessions they are. */
  readonly owner: string
  /** Who acts for the owner: `key:<uuid>`, `user:<subject>` of the identity provider, or `link:<session’s uuid>`. */
  readonly actor: string
  readonly scopes: ReadonlySet<Scope>
  /** UUID of the API key; of a token or link, what tells it apart from others. */
  readonly apiKeyId: string
  /** Milliseconds since the epoch; null: never. */
  readonly expiresAt: number | null
  /** UUID of the one session whose live view it is good for, and nothing else; null: of everything of the owner's. */
  readonly sessionId: string | null
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
  if (principal.sessionId !== null) throw new Forbidden('This link is good for the live view of one session alone.')
  if (!principal.scopes.has(scope)) throw new Forbidden(`This API key lacks the scope ${scope}.`)
  return principal
}

/** The same for the live view of a session, for which a link to it is enough. Of another session it is NOT_FOUND. */
export function requireLiveView(principal: Principal | null, sessionId: string, scope: Scope): Principal {
  if (principal?.sessionId == null) return requireScope(principal, scope)
  if (principal.sessionId !== sessionId) throw new NotFound('session')
  if (!principal.scopes.has(scope)) throw new Forbidden('This link is for looking alone.')
  return principal
}
