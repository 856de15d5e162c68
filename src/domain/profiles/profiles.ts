import { v7 as uuidv7 } from 'uuid'
import type { ProfileDescription } from '../../ports/sessions/profile.ts'
import type { Json } from '../../ports/base/json.ts'
import type { Store } from '../../ports/store/store.ts'
import { BadUserInput, NotFound, TabwireError } from '../kernel/errors.ts'
import type { ProfileCipher } from './profile-cipher.ts'
import { SealBroken } from './profile-cipher.ts'
import type { SessionDirectory } from '../sessions/session-directory.ts'

/** Time limit for a session to export its state. */
export const SAVE_SECONDS = 15

export const PROFILE_LIMITS = { name: 200, bytes: 32 * 1024 * 1024, perOwner: 1_000 } as const

/** The profile was saved with another encryption key. */
class ProfileUnreadable extends TabwireError {
  override readonly code = 'PROFILE_UNREADABLE'

  constructor() {
    super('The profile was encrypted with another key: restore TABWIRE_PROFILE_KEY, or save the profile again.')
  }
}

/** Stores sessions' state of sites, encrypted, under names of their owners. */
export class Profiles {
  readonly #store: Store
  readonly #seal: ProfileCipher

  constructor(store: Store, seal: ProfileCipher) {
    this.#store = store
    this.#seal = seal
  }

  /** A profile of the same name is replaced, and keeps its id. Throws BadUserInput. */
  async save(owner: string, name: string, state: Json): Promise<ProfileDescription> {
    const content = Buffer.from(JSON.stringify(state))
    if (content.length > PROFILE_LIMITS.bytes) {
      const message = `the session’s cookies and storage take ${content.length} bytes; a profile may have ${PROFILE_LIMITS.bytes}`
      throw new BadUserInput([{ path: ['sessionId'], code: 'TOO_LONG', message }])
    }
    const kept = await this.list(owner)
    if (kept.length >= PROFILE_LIMITS.perOwner && !kept.some((profile) => profile.name === name)) {
      const message = `an owner may keep ${PROFILE_LIMITS.perOwner} profiles: delete one, or replace it by its name`
      throw new BadUserInput([{ path: ['name'], code: 'TOO_MANY', message }])
    }
    const now = Date.now()
    const sealed = this.#seal.seal({ owner, name }, content)
    const record = { id: uuidv7(), owner, name, sealed, sizeBytes: content.length, createdAt: now, updatedAt: now }
    return this.#store.saveProfile(record)
  }

  /** Null for another owner's as well. */
  async find(owner: string, id: string): Promise<ProfileDescription | null> {
    const record = await this.#store.describeProfile(id)
    return record?.owner === owner ? record : null
  }

  /** By name. */
  list(owner: string): Promise<ProfileDescription[]> {
    return this.#store.listProfiles(owner)
  }

  /** The contents of the profile for a new session. Throws BadUserInput or ProfileUnreadable. */
  async open(owner: string, id: string): Promise<{ id: string; state: Json }> {
    const record = await this.#store.findProfile(id)
    if (record?.owner !== owner) {
      const message = 'Profile not found.'
      throw new BadUserInput([{ path: ['input', 'profileId'], code: 'NOT_FOUND', message }])
    }
    try {
      return { id: record.id, state: JSON.parse(this.#seal.open(record, record.sealed).toString()) as Json }
    } catch (error) {
      if (error instanceof SealBroken) throw new ProfileUnreadable()
      throw error
    }
  }

  /** Sessions that started with it are not affected. Throws NotFound. */
  async delete(owner: string, id: string): Promise<void> {
    if (!(await this.find(owner, id)) || !(await this.#store.deleteProfile(id))) throw new NotFound('profile')
  }
}

/**
 * Saves the state of sites of a running session of the owner. Throws BadUserInput and NotFound, and as
 * SessionHandle.saveProfile.
 */
export async function saveProfile(
  sessions: SessionDirectory,
  owner: string,
  given: { sessionId: string; name: string },
  signal: AbortSignal,
): Promise<ProfileDescription> {
  const { sessionId, name } = given
  if (name.length === 0 || name.length > PROFILE_LIMITS.name || /\p{Cc}/u.test(name) || !name.isWellFormed()) {
    const message = `must have 1 to ${PROFILE_LIMITS.name} characters, none of them a control character`
    throw new BadUserInput([{ path: ['name'], code: 'INVALID_FORMAT', message }])
  }
  const handle = await sessions.requireHandle(owner, sessionId)
  return handle.saveProfile(name, signal)
}
