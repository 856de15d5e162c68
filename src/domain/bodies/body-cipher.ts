import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto'

const VERSION = 1
const ID_BYTES = 4
const NONCE_BYTES = 12
const TAG_BYTES = 16
const HEAD_BYTES = 1 + ID_BYTES + NONCE_BYTES + TAG_BYTES

interface Key {
  id: string
  key: Buffer
}

/**
 * Encrypts bodies (AES-256-GCM), each with its own nonce, bound to its owner. The first secret encrypts, all of them
 * decrypt, so that a key can be replaced while bodies encrypted with the previous one are still stored.
 */
export class BodyCipher {
  readonly #keys: readonly Key[]

  constructor(secrets: readonly string[]) {
    this.#keys = secrets.map((secret) => ({
      id: createHash('sha256')
        .update(`tabwire body key ${secret}`)
        .digest('hex')
        .slice(0, 2 * ID_BYTES),
      key: Buffer.from(hkdfSync('sha256', secret, '', 'tabwire bodies', 32)),
    }))
  }

  /** Id of the key that `seal` encrypts with; null: there is none, and nothing is encrypted. */
  get seal(): string | null {
    return this.#keys[0]?.id ?? null
  }

  /** Whether data with this key id can be decrypted; null: data that is not encrypted. */
  knows(seal: string | null): boolean {
    return seal === null || this.#keys.some(({ id }) => id === seal)
  }

  /** Only if there is a key. */
  encrypt(owner: string, content: Uint8Array): Buffer {
    const { id, key } = this.#keys[0]!
    const nonce = randomBytes(NONCE_BYTES)
    const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(owner))
    const encrypted = Buffer.concat([cipher.update(content), cipher.final()])
    return Buffer.concat([Buffer.from([VERSION]), Buffer.from(id, 'hex'), nonce, cipher.getAuthTag(), encrypted])
  }

  /** Null: an unknown key, another owner, or modified data. */
  decrypt(owner: string, sealed: Uint8Array): Buffer | null {
    const id = this.sealOf(sealed)
    const known = this.#keys.find((one) => one.id === id)
    if (!known) return null
    const nonceAt = 1 + ID_BYTES
    const tagAt = nonceAt + NONCE_BYTES
    try {
      const decipher = createDecipheriv('aes-256-gcm', known.key, sealed.subarray(nonceAt, tagAt))
        .setAAD(Buffer.from(owner))
        .setAuthTag(sealed.subarray(tagAt, HEAD_BYTES))
      return Buffer.concat([decipher.update(sealed.subarray(HEAD_BYTES)), decipher.final()])
    } catch {
      return null
    }
  }

  /** Id of the key it was encrypted with, according to its header; null: it was not encrypted by this class. */
  sealOf(sealed: Uint8Array): string | null {
    if (sealed.length < HEAD_BYTES || sealed[0] !== VERSION) return null
    return Buffer.from(sealed.subarray(1, 1 + ID_BYTES)).toString('hex')
  }
}
