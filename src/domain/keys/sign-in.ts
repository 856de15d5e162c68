import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { SIGN_IN_KEY_NAME } from '../../ports/access/api-key.ts'
import type { ApiKeys } from './api-keys.ts'

const CODE_LIFE_MS = 10 * 60 * 1000
const KEY_LIFE_MS = 12 * 60 * 60 * 1000

/** Content of a code. It holds no secret; only the signature makes it valid. */
type Content = [owner: string, expiresAt: number, nonce: string]

/**
 * Signing in with a link: the server prints a code that works once, for ten minutes; a page exchanges it for a key that
 * is valid for twelve hours. The link itself contains no key, so a link that was seen on a screen or stored in a
 * history is worthless.
 *
 * A code is signed and not stored: every server that has the secrets can exchange it. The id of its key is derived from
 * it, so the database ensures that concurrent exchanges succeed once.
 */
export class SignIn {
  readonly #apiKeys: ApiKeys
  readonly #secrets: () => readonly string[]

  /** `secrets`: the first signs, all of them verify. */
  constructor(apiKeys: ApiKeys, secrets: () => readonly string[]) {
    this.#apiKeys = apiKeys
    this.#secrets = secrets
  }

  issueCode(owner: string): string {
    const content: Content = [owner, Date.now() + CODE_LIFE_MS, randomBytes(16).toString('base64url')]
    const written = Buffer.from(JSON.stringify(content)).toString('base64url')
    return `${written}.${signatureOf(this.#secrets()[0]!, written).toString('base64url')}`
  }

  /** The key for a code; null if the code is unknown, used or older than ten minutes. */
  async exchange(code: string): Promise<{ secret: string; expiresAt: Date } | null> {
    const content = this.#contentOf(code)
    if (!content) return null
    const [owner, codeExpiresAt] = content
    if (codeExpiresAt <= Date.now()) return null
    const expiresAt = new Date(Date.now() + KEY_LIFE_MS)
    const scopes = ['READ', 'WRITE', 'CONNECT', 'KEYS', 'ADMIN'] as const
    const input = { name: SIGN_IN_KEY_NAME, scopes, expiresAt }
    const created = await this.#apiKeys.createOnce(idOfKey(code), owner, input)
    return created && { secret: created.secret, expiresAt }
  }

  #contentOf(code: string): Content | null {
    const [written = '', signature = '', ...rest] = code.split('.')
    // As texts: the last character has bits to spare, and each way to write it would make another id.
    const given = Buffer.from(signature)
    const isSigned = this.#secrets().some((secret) => {
      const wanted = Buffer.from(signatureOf(secret, written).toString('base64url'))
      return wanted.length === given.length && timingSafeEqual(wanted, given)
    })
    return isSigned && rest.length === 0 ? (JSON.parse(Buffer.from(written, 'base64url').toString()) as Content) : null
  }
}

const signatureOf = (secret: string, written: string) =>
  createHmac('sha256', secret)
    .update(JSON.stringify(['tabwire sign-in 1', written]))
    .digest()

/** A UUID of version 8. */
function idOfKey(code: string): string {
  const hex = createHash('sha256').update(`tabwire sign-in key ${code}`).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}
