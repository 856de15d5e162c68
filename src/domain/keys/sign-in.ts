import { randomBytes } from 'node:crypto'
import { SIGN_IN_KEY_NAME } from '../../ports/api-key.ts'
import type { ApiKeys } from './api-keys.ts'

const CODE_LIFE_MS = 10 * 60 * 1000
const KEY_LIFE_MS = 12 * 60 * 60 * 1000
const MAX_CODES = 1000

/**
 * Signing in with a link: the server prints a code that works once, for ten minutes; a page exchanges it for a key that
 * is valid for twelve hours. The link itself contains no key, so a link that was seen on a screen or stored in a
 * history is worthless.
 */
export class SignIn {
  readonly #apiKeys: ApiKeys
  readonly #codes = new Map<string, { owner: string; expiresAt: number }>()

  constructor(apiKeys: ApiKeys) {
    this.#apiKeys = apiKeys
  }

  issueCode(owner: string): string {
    const now = Date.now()
    for (const [code, { expiresAt }] of this.#codes) {
      if (expiresAt <= now || this.#codes.size >= MAX_CODES) this.#codes.delete(code)
    }
    const code = randomBytes(24).toString('base64url')
    this.#codes.set(code, { owner, expiresAt: now + CODE_LIFE_MS })
    return code
  }

  /** The key for a code; null if the code is unknown, used or older than ten minutes. */
  async exchange(code: string): Promise<{ secret: string; expiresAt: Date } | null> {
    const issued = this.#codes.get(code)
    this.#codes.delete(code)
    if (!issued || issued.expiresAt <= Date.now()) return null
    const expiresAt = new Date(Date.now() + KEY_LIFE_MS)
    const scopes = ['READ', 'WRITE', 'CONNECT', 'KEYS', 'ADMIN'] as const
    try {
      const { secret } = await this.#apiKeys.createFor(issued.owner, { name: SIGN_IN_KEY_NAME, scopes, expiresAt })
      return { secret, expiresAt }
    } catch (error) {
      // The link works again once the database does.
      this.#codes.set(code, issued)
      throw error
    }
  }
}
