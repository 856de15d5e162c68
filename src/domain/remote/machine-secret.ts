import { createHmac, timingSafeEqual } from 'node:crypto'

const MAC_BYTES = 32

/** Authenticates what machines of one installation tell each other, by keys that all of them have. */
export class MachineSecret {
  readonly #keys: readonly string[]

  /** The first key is used for what is new, the others are accepted. */
  constructor(keys: readonly string[]) {
    this.#keys = keys
  }

  /** The message after its code. `context`: what it is meant for; it is valid there only. */
  seal(context: string, message: Uint8Array): Uint8Array {
    return Buffer.concat([codeOf(this.#keys[0]!, context, message), message])
  }

  /** Null: nobody with a key has sealed it for this context. */
  open(context: string, sealed: Uint8Array): Uint8Array | null {
    if (sealed.byteLength < MAC_BYTES) return null
    const message = sealed.subarray(MAC_BYTES)
    const code = sealed.subarray(0, MAC_BYTES)
    const isValid = this.#keys.map((key) => timingSafeEqual(codeOf(key, context, message), code))
    return isValid.includes(true) ? message : null
  }

  /** The code of a text alone. */
  sign(context: string, text: string): string {
    return codeOf(this.#keys[0]!, context, Buffer.from(text)).toString('base64url')
  }

  verify(context: string, text: string, code: string): boolean {
    const given = Buffer.from(code, 'base64url')
    if (given.length !== MAC_BYTES) return false
    const message = Buffer.from(text)
    return this.#keys.map((key) => timingSafeEqual(codeOf(key, context, message), given)).includes(true)
  }
}

/** No context contains a NUL, so context and message cannot be mistaken for others. */
function codeOf(key: string, context: string, message: Uint8Array): Buffer {
  return createHmac('sha256', key).update(`${context}\0`).update(message).digest()
}
