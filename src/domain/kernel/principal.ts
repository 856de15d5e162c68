import type { Scope } from '../../ports/access/scope.ts'
import { NotFound, TabwireError } from './errors.ts'

/** The caller: on whose behalf it acts, and what its key, token or link allows. */
export interface Principal {
  /** The owner of its sessions. */
  readonly owner: string
  /** Acts for the owner: `key:<uuid>`, `user:<subject>` of the identity provider, or `link:<session’s uuid>`. */
  readonly actor: string
  readonly scopes: ReadonlySet<Scope>
  /** UUID of the API key; for a token or link, a value that distinguishes it from others. */
  readonly apiKeyId: string
  /** Milliseconds since the epoch; null: never. */
  readonly expiresAt: number | null
  /** UUID of the one session whose live view it can access, and nothing else; null: everything of the owner. */
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

/** The error message for a caller with none of these scopes. */
export function refusalOf(principal: Principal | null, scopes: readonly Scope[]): TabwireError {
  if (!principal) return new Unauthenticated()
  if (principal.sessionId !== null) return new Forbidden('This link is valid for the live view of one session only.')
  return new Forbidden(`This API key lacks the scope ${scopes.join(' or ')}.`)
}

/** Whether the caller has the scope. Scopes are independent, and a link to the live view has none here. */
export function hasScope(principal: Principal | null, scope: Scope): principal is Principal {
  return principal?.sessionId === null && principal.scopes.has(scope)
}

/** Throws Unauthenticated without a principal, and Forbidden if its key has none of the scopes. */
export function requireScope(principal: Principal | null, ...scopes: readonly Scope[]): Principal {
  const allowed = scopes.some((scope) => hasScope(principal, scope))
  if (!principal || !allowed) throw refusalOf(principal, scopes)
  return principal
}

/**
 * The same for the live view of a session, for which a link to it is sufficient. For another session it is NOT_FOUND.
 */
export function requireLiveView(principal: Principal | null, sessionId: string, scope: Scope): Principal {
  if (principal?.sessionId == null) return requireScope(principal, scope)
  if (principal.sessionId !== sessionId) throw new NotFound('session')
  if (!principal.scopes.has(scope)) throw new Forbidden('This link is view-only.')
  return principal
}
