import type { Scope } from '../../ports/scope.ts'
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

/** Why a caller that has none of these scopes is refused. */
export function refusalOf(principal: Principal | null, scopes: readonly Scope[]): TabwireError {
  if (!principal) return new Unauthenticated()
  if (principal.sessionId !== null) return new Forbidden('This link is valid for the live view of one session only.')
  return new Forbidden(`This API key lacks the scope ${scopes.join(' or ')}.`)
}

/** Whether the caller has the scope. No scope includes another, and a link to the live view has none here. */
export function hasScope(principal: Principal | null, scope: Scope): principal is Principal {
  return principal?.sessionId === null && principal.scopes.has(scope)
}

/** Throws Unauthenticated without a principal and Forbidden when its key has none of the scopes. */
export function requireScope(principal: Principal | null, ...scopes: readonly Scope[]): Principal {
  const allowed = scopes.some((scope) => hasScope(principal, scope))
  if (!principal || !allowed) throw refusalOf(principal, scopes)
  return principal
}

/** The same for the live view of a session, for which a link to it is enough. Of another session it is NOT_FOUND. */
export function requireLiveView(principal: Principal | null, sessionId: string, scope: Scope): Principal {
  if (principal?.sessionId == null) return requireScope(principal, scope)
  if (principal.sessionId !== sessionId) throw new NotFound('session')
  if (!principal.scopes.has(scope)) throw new Forbidden('This link is view-only.')
  return principal
}
