import { Deadline } from '../../async/deadline.ts'
import type { ProfileDescription } from '../../ports/profile.ts'
import { BadUserInput } from '../kernel/errors.ts'
import { PROFILE_LIMITS, type Profiles } from '../profiles/profiles.ts'
import type { SessionRegistry } from '../sessions/session-registry.ts'

/** How long a session may take to tell what it knows. */
export const SAVE_SECONDS = 15

/** Saves what a running session knows of sites. Throws BadUserInput, NotFound, SessionNotRunning or BrowserTimeout. */
export async function saveProfile(
  registry: SessionRegistry,
  profiles: Profiles,
  owner: string,
  given: { sessionId: string; name: string },
  signal: AbortSignal,
): Promise<ProfileDescription> {
  const { sessionId, name } = given
  if (name.length === 0 || name.length > PROFILE_LIMITS.name || /\p{Cc}/u.test(name) || !name.isWellFormed()) {
    const message = `must have 1 to ${PROFILE_LIMITS.name} characters, none of them a control character`
    throw new BadUserInput([{ path: ['name'], code: 'INVALID_FORMAT', message }])
  }
  const session = await registry.requireLive(owner, sessionId)
  using deadline = new Deadline(SAVE_SECONDS * 1000, [signal])
  const state = await session.actions.storageState(deadline.signal)
  return await profiles.keep(owner, name, state)
}
