import { createHmac, timingSafeEqual } from 'node:crypto'
import { atTime } from '../kernel/at-time.ts'
import { BadUserInput } from '../kernel/errors.ts'
import type { KeyWatch } from '../keys/key-watch.ts'
import type { Principal } from '../kernel/principal.ts'

/** Purposes of links. A signature is valid for one purpose only. */
export type LinkPurpose = 'artifact' | 'body' | 'upload' | 'cdp' | 'live' | 'export'

/** The creator and the expiration of a link. */
export interface LinkTerms {
  /**
   * `key:<UUID>` of an API key: the link becomes invalid with it. Links of other creators cannot be revoked, and only
   * expire.
   */
  readonly maker: string
  /** Milliseconds since the epoch, whole seconds; never later than the expiration of the creator's credentials. */
  readonly expiresAt: number
}

/** The terms in a link's query, and their signature. */
export interface LinkQuery {
  expires: string
  maker: string
  signature: string
}

/** Unchanged; null: absent. */
export type GivenLinkQuery = { readonly [member in keyof LinkQuery]: string | null }

/** Why a link became invalid. REVOKED: its API key was revoked, or its validity has been unknown for too long. */
export type LinkEnd = 'EXPIRED' | 'REVOKED'

export const LINK_TTL_SECONDS = { min: 1, max: 7 * 24 * 60 * 60, default: 3600 } as const
export const LINK_TTL_RULE = `From ${LINK_TTL_SECONDS.min} to ${LINK_TTL_SECONDS.max} seconds (7 days).`

/** Subject of the signature of a session’s CDP link. */
export const cdpSubject = (sessionId: string): readonly string[] => [sessionId]

const EXPIRES = /^[1-9][0-9]{0,11}$/
const SIGNATURE = /^([0-9a-f]{8})\.([\w-]{43})$/
const KEY = 'key:'

/**
 * Signs and verifies links that work without a key until they expire or the API key that created them is revoked. A
 * link is bound to its purpose, subject and creator: changing any of them invalidates it. Secrets are read each time,
 * since they can be rotated: the first signs, all verify.
 */
export class SignedLinks {
  readonly #secrets: () => readonly string[]
  readonly #baseUrl: () => string
  readonly #keys: Pick<KeyWatch, 'isValid' | 'onInvalid'>

  constructor(secrets: () => readonly string[], baseUrl: () => string, keys: Pick<KeyWatch, 'isValid' | 'onInvalid'>) {
    this.#secrets = secrets
    this.#baseUrl = baseUrl
    this.#keys = keys
  }

  /** The terms of a new link of the principal. Throws BadUserInput if ttlSeconds is out of range. */
  terms({ apiKeyId, expiresAt }: Pick<Principal, 'apiKeyId' | 'expiresAt'>, ttlSeconds: number): LinkTerms {
    if (!(ttlSeconds >= LINK_TTL_SECONDS.min && ttlSeconds <= LINK_TTL_SECONDS.max)) {
      const message = `must be from ${LINK_TTL_SECONDS.min} to ${LINK_TTL_SECONDS.max} seconds`
      throw new BadUserInput([{ path: ['ttlSeconds'], code: 'OUT_OF_RANGE', message }])
    }
    const wanted = Math.floor(Date.now() / 1000) + ttlSeconds
    const most = expiresAt === null ? wanted : Math.floor(expiresAt / 1000)
    // Credentials other than API keys have a name of their own kind, such as `token:…`.
    const maker = apiKeyId.includes(':') ? apiKeyId : `${KEY}${apiKeyId}`
    return { maker, expiresAt: Math.min(wanted, most) * 1000 }
  }

  sign(purpose: LinkPurpose, subject: readonly string[], { maker, expiresAt }: LinkTerms): LinkQuery {
    const secret = this.#secrets()[0]!
    const expires = String(expiresAt / 1000)
    const mac = digest(secret, purpose, subject, expires, maker).toString('base64url')
    return { expires, maker, signature: `${idOf(secret)}.${mac}` }
  }

  /**
   * The verified terms of a link: null unless one of the secrets signed exactly these, it has not expired, and its API
   * key is valid. Throws StoreUnavailable if the key's validity is unknown.
   */
  async read(purpose: LinkPurpose, subject: readonly string[], given: GivenLinkQuery): Promise<LinkTerms | null> {
    const terms = this.#signedTerms(purpose, subject, given)
    if (!terms) return null
    const keyId = keyIdOf(terms)
    return keyId === null || (await this.#keys.isValid(keyId)) ? terms : null
  }

  /**
   * Calls back once when the link has become invalid, soon if it already has: everything opened with it must be closed.
   * Returns a function that stops watching.
   */
  onEnd(terms: LinkTerms, listener: (why: LinkEnd) => void): () => void {
    const stop = () => {
      stopClock()
      unwatch()
    }
    const end = (why: LinkEnd) => {
      stop()
      listener(why)
    }
    const stopClock = atTime(terms.expiresAt, () => end('EXPIRED'))
    const keyId = keyIdOf(terms)
    const unwatch = keyId === null ? () => {} : this.#keys.onInvalid(keyId, () => end('REVOKED'))
    return stop
  }

  /** Base URL of the server, without a trailing slash. */
  base(): string {
    return this.#baseUrl()
  }

  /** The complete link. */
  url(path: string, query: Record<string, string>): string {
    return `${this.#baseUrl()}${path}?${new URLSearchParams(query).toString()}`
  }

  #signedTerms(purpose: LinkPurpose, subject: readonly string[], given: GivenLinkQuery): LinkTerms | null {
    const { expires, maker, signature } = given
    const parts = SIGNATURE.exec(signature ?? '')
    if (!parts || maker === null || expires === null || !EXPIRES.test(expires)) return null
    const secret = this.#secrets().find((one) => idOf(one) === parts[1])
    if (secret === undefined) return null
    // As texts: the last character has unused bits, which decoding drops.
    const wanted = Buffer.from(digest(secret, purpose, subject, expires, maker).toString('base64url'))
    const expiresAt = Number(expires) * 1000
    return timingSafeEqual(wanted, Buffer.from(parts[2]!)) && expiresAt > Date.now() ? { maker, expiresAt } : null
  }
}

const keyIdOf = ({ maker }: LinkTerms): string | null => (maker.startsWith(KEY) ? maker.slice(KEY.length) : null)

/** As JSON, so that different subjects never have the same text. The number is the version of the link format. */
function digest(
  secret: string,
  purpose: LinkPurpose,
  subject: readonly string[],
  expires: string,
  maker: string,
): Buffer {
  return createHmac('sha256', secret)
    .update(JSON.stringify(['tabwire link 2', purpose, expires, maker, ...subject]))
    .digest()
}

const ids = new Map<string, string>()

/** Reveals which secret signed, and nothing else about it. */
function idOf(secret: string): string {
  const known = ids.get(secret)
  if (known !== undefined) return known
  const id = createHmac('sha256', secret).update('tabwire key id').digest('hex').slice(0, 8)
  ids.set(secret, id)
  return id
}
