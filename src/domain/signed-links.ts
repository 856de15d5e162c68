import { createHmac, timingSafeEqual } from 'node:crypto'
import { BadUserInput } from './errors.ts'

/** What a link is good for. A signature for one purpose is none for another. */
export type LinkPurpose = 'artifact' | 'upload' | 'cdp' | 'live'

/** What stands in a link's query. */
export interface LinkSignature {
  /** Milliseconds since the epoch. */
  expiresAt: number
  query: { expires: string; signature: string }
}

export const LINK_TTL_SECONDS = { min: 1, max: 7 * 24 * 60 * 60, default: 3600 } as const
export const LINK_TTL_RULE = `From ${LINK_TTL_SECONDS.min} to ${LINK_TTL_SECONDS.max} seconds (7 days).`

const EXPIRES = /^[1-9][0-9]{0,11}$/
const SIGNATURE = /^([0-9a-f]{8})\.([\w-]{43})$/

/**
 * Signs links that work without a key until they expire, and tells true ones. A link is bound to its purpose and its
 * subject: whoever changes one character of either has none. Secrets are asked for each time, for they can be rotated:
 * the first signs, all verify.
 */
export class SignedLinks {
  readonly #secrets: () => readonly string[]
  readonly #baseUrl: () => string

  constructor(secrets: () => readonly string[], baseUrl: () => string) {
    this.#secrets = secrets
    this.#baseUrl = baseUrl
  }

  /** Throws BadUserInput when ttlSeconds is out of bounds. */
  sign(purpose: LinkPurpose, subject: readonly string[], ttlSeconds: number): LinkSignature {
    if (!(ttlSeconds >= LINK_TTL_SECONDS.min && ttlSeconds <= LINK_TTL_SECONDS.max)) {
      const message = `must be from ${LINK_TTL_SECONDS.min} to ${LINK_TTL_SECONDS.max} seconds`
      throw new BadUserInput([{ path: ['ttlSeconds'], code: 'OUT_OF_RANGE', message }])
    }
    const secret = this.#secrets()[0]!
    const expires = String(Math.floor(Date.now() / 1000) + ttlSeconds)
    const signature = `${idOf(secret)}.${digest(secret, purpose, subject, expires).toString('base64url')}`
    return { expiresAt: Number(expires) * 1000, query: { expires, signature } }
  }

  /** Whether one of the secrets signed exactly this, and it has not expired. */
  isValid(
    purpose: LinkPurpose,
    subject: readonly string[],
    given: { expires: string | null; signature: string | null },
  ): boolean {
    const { expires, signature } = given
    const parts = SIGNATURE.exec(signature ?? '')
    if (!parts || expires === null || !EXPIRES.test(expires)) return false
    const secret = this.#secrets().find((one) => idOf(one) === parts[1])
    if (secret === undefined) return false
    // As texts: the last character has bits to spare, which decoding drops.
    const wanted = Buffer.from(digest(secret, purpose, subject, expires).toString('base64url'))
    return timingSafeEqual(wanted, Buffer.from(parts[2]!)) && Number(expires) * 1000 > Date.now()
  }

  /** Where the server is reached, without a slash at the end. */
  base(): string {
    return this.#baseUrl()
  }

  /** The whole link. */
  url(path: string, query: Record<string, string>): string {
    return `${this.#baseUrl()}${path}?${new URLSearchParams(query).toString()}`
  }
}

/** As JSON, so that no two different subjects are the same text. */
function digest(secret: string, purpose: LinkPurpose, subject: readonly string[], expires: string): Buffer {
  return createHmac('sha256', secret)
    .update(JSON.stringify(['tabwire link 1', purpose, expires, ...subject]))
    .digest()
}

const ids = new Map<string, string>()

/** Tells which secret signed, and nothing else about it. */
function idOf(secret: string): string {
  const known = ids.get(secret)
  if (known !== undefined) return known
  const id = createHmac('sha256', secret).update('tabwire key id').digest('hex').slice(0, 8)
  ids.set(secret, id)
  return id
}
