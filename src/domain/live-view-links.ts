import type { Scope } from '../ports/store.ts'
import type { Principal } from './principal.ts'
import type { SessionRegistry } from './session-registry.ts'
import type { SignedLinks } from './signed-links.ts'

/** No API key begins so. */
const PREFIX = 'twl_'
const UUID = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}'
const TOKEN = new RegExp(`^${PREFIX}(${UUID})_(r|rw)_([0-9]+)_(.+)$`)

/**
 * Tokens that stand in the place of an API key for the live view of one session, and nothing else: what a link carries
 * for someone who has no key.
 */
export class LiveViewLinks {
  readonly #links: SignedLinks
  readonly #registry: Pick<SessionRegistry, 'findRunning'>

  constructor(links: SignedLinks, registry: Pick<SessionRegistry, 'findRunning'>) {
    this.#links = links
    this.#registry = registry
  }

  /** Throws BadUserInput when ttlSeconds is out of bounds. */
  sign(sessionId: string, canWrite: boolean, ttlSeconds: number): { token: string; expiresAt: number } {
    const right = canWrite ? 'rw' : 'r'
    const { expiresAt, query } = this.#links.sign('live', [sessionId, right], ttlSeconds)
    return { token: `${PREFIX}${sessionId}_${right}_${query.expires}_${query.signature}`, expiresAt }
  }

  isToken(secret: string): boolean {
    return secret.startsWith(PREFIX)
  }

  /** Who has the token: the session's owner, within it. Null: it is none, has expired, or the session does not run. */
  read(token: string): Principal | null {
    const [, sessionId, right, expires, signature] = TOKEN.exec(token) ?? []
    if (!sessionId || !right || !expires || !signature) return null
    if (!this.#links.isValid('live', [sessionId, right], { expires, signature })) return null
    const session = this.#registry.findRunning(sessionId)
    if (!session) return null
    const scopes: Scope[] = right === 'rw' ? ['READ', 'WRITE'] : ['READ']
    return {
      owner: session.owner,
      actor: `link:${sessionId}`,
      scopes: new Set(scopes),
      apiKeyId: token,
      expiresAt: Number(expires) * 1000,
      sessionId,
    }
  }
}
