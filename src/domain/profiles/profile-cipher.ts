import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'

const VERSION = 1
const NONCE_BYTES = 12
const TAG_BYTES = 16

/** The ciphertext cannot be decrypted: another key, another profile, or it was modified. */
export class SealBroken extends Error {
  override readonly name = 'SealBroken'
}

/** Identifies a profile: its name is unique for the owner, and permanent. */
export interface ProfileName {
  owner: string
  name: string
}

/**
 * Encrypts profiles (AES-256-GCM), each with its own nonce, bound to its owner and name. The first secret encrypts, all of
 * them decrypt.
 */
export class ProfileCipher {
  readonly #keys: readonly Buffer[]

  constructor(secrets: readonly string[]) {
    this.#keys = secrets.map((secret) => Buffer.from(hkdfSync('sha256', secret, '', 'tabwire profiles', 32)))
  }

  seal(whose: ProfileName, content: Uint8Array): Uint8Array {
    const nonce = randomBytes(NONCE_BYTES)
    const cipher = createCipheriv('aes-256-gcm', this.#keys[0]!, nonce).setAAD(boundTo(whose))
    const encrypted = Buffer.concat([cipher.update(content), cipher.final()])
    return Buffer.concat([Buffer.from([VERSION]), nonce, cipher.getAuthTag(), encrypted])
  }

  /** Throws SealBroken. */
  open(whose: ProfileName, sealed: Uint8Array): Buffer {
    const head = 1 + NONCE_BYTES + TAG_BYTES
    if (sealed[0] !== VERSION || sealed.length < head) throw new SealBroken('this is no sealed profile')
    const nonce = sealed.subarray(1, 1 + NONCE_BYTES)
    let cause: unknown
    for (const key of this.#keys) {
      try {
        const decipher = createDecipheriv('aes-256-gcm', key, nonce)
          .setAAD(boundTo(whose))
          .setAuthTag(sealed.subarray(1 + NONCE_BYTES, head))
        return Buffer.concat([decipher.update(sealed.subarray(head)), decipher.final()])
      } catch (error) {
        cause = error
      }
    }
    throw new SealBroken('the profile was sealed with another key', { cause })
  }
}

const boundTo = ({ owner, name }: ProfileName) => Buffer.from(JSON.stringify([owner, name]))
