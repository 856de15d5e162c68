import type { SessionRecord } from '../../ports/sessions/session-record.ts'
import { ProfileCipher } from '../profiles/profile-cipher.ts'
import type { StartSessionInput } from '../sessions/input/session-input.ts'

type Whose = Pick<SessionRecord, 'id' | 'owner'>

/**
 * Encrypts the input of queued starts, which may contain passwords and headers: the row of a session has none of them. By
 * keys of its own, which follow from the same secrets as those of profiles.
 */
export class StartCipher {
  readonly #cipher: ProfileCipher

  constructor(secrets: readonly string[]) {
    this.#cipher = new ProfileCipher(secrets.map((secret) => `starts ${secret}`))
  }

  seal({ id, owner }: Whose, input: StartSessionInput): Uint8Array {
    return this.#cipher.seal({ owner, name: id }, Buffer.from(JSON.stringify(input)))
  }

  /** Throws SealBroken. */
  open({ id, owner }: Whose, sealed: Uint8Array): StartSessionInput {
    return JSON.parse(this.#cipher.open({ owner, name: id }, sealed).toString()) as StartSessionInput
  }
}
