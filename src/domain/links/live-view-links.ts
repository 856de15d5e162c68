import type { Scope } from '../../ports/access/scope.ts'
import type { Principal } from '../kernel/principal.ts'
import type { SessionDirectory } from '../sessions/session-directory.ts'
import type { GivenLinkQuery, LinkTerms, SignedLinks } from './signed-links.ts'

/** No API key begins with this. */
const PREFIX = 'twl_'
const UUID = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}'
const TOKEN = new RegExp(`^${PREFIX}(${UUID})_(r|rw)_([0-9]+)_([0-9a-f]{8}\\.[\\w-]{43})_(.+)$`)

/**
 * Tokens in place of an API key for the live view of one session, and nothing else: for links to people without a key.
 */
export class LiveViewLinks {
  readonly #links: SignedLinks
  readonly #sessions: Pick<SessionDirectory, 'findRunning'>

  constructor(links: SignedLinks, sessions: Pick<SessionDirectory, 'findRunning'>) {
    this.#links = links
    this.#sessions = sessions
  }

  sign(sessionId: string, canWrite: boolean, terms: LinkTerms): string {
    const right = canWrite ? 'rw' : 'r'
    const { expires, signature, maker } = this.#links.sign('live', [sessionId, right], terms)
    return `${PREFIX}${sessionId}_${right}_${expires}_${signature}_${maker}`
  }

  isToken(secret: string): boolean {
    return secret.startsWith(PREFIX)
  }

  /**
   * The principal of the token: the session's owner, restricted to it. Null: it is not a token, has expired, its API
   * key was revoked, or the session is not running. Throws StoreUnavailable if the key's validity is unknown.
   */
  async read(token: string): Promise<Principal | null> {
    const parts = partsOf(token)
    const terms = parts && (await this.#links.read('live', [parts.sessionId, parts.right], parts.query))
    const session = terms && (await this.#sessions.findRunning(parts.sessionId))
    if (!session) return null
    const scopes: Scope[] = parts.right === 'rw' ? ['READ', 'WRITE'] : ['READ']
    return {
      owner: session.owner,
      actor: `link:${session.sessionId}`,
      scopes: new Set(scopes),
      apiKeyId: token,
      expiresAt: terms.expiresAt,
      sessionId: parts.sessionId,
    }
  }

  /** Calls back once when the token of a principal becomes invalid. Returns a function that stops watching. */
  onInvalid({ apiKeyId: token, expiresAt }: Principal, listener: () => void): () => void {
    return this.#links.onEnd({ maker: partsOf(token)!.query.maker!, expiresAt: expiresAt! }, listener)
  }
}

function partsOf(token: string): { sessionId: string; right: string; query: GivenLinkQuery } | null {
  const [, sessionId, right, expires, signature, maker] = TOKEN.exec(token) ?? []
  if (!sessionId || !right || !expires || !signature || !maker) return null
  return { sessionId, right, query: { expires, signature, maker } }
}
