import { NIL } from 'uuid'
import { uuidOf } from '../../contract/global-id.ts'
import {
  START_SESSION_INPUT,
  UPDATE_SESSION_INPUT,
  type StartSessionInput,
  type UpdateSessionInput,
} from '../../domain/sessions/input/session-input.ts'
import type { SessionFilterInput } from '../../domain/sessions/input/session-filter.ts'
import { LONGEST_PROFILE_ID } from '../../domain/sessions/input/session-rules.ts'
import { terminateSession, terminateSessions, updateSession } from '../../domain/sessions/session-requests.ts'
import { builder } from '../base/builder.ts'
import { COST } from '../base/complexity.ts'
import { describedValues } from '../base/enum-values.ts'
import { inputTypeOf } from '../base/input-type.ts'
import { givenMembers, NEEDS } from '../base/needs.ts'
import { SessionFilterType } from './session-list.ts'
import { requireSession, Session, sessionUuid } from './session.ts'

const StartWaitEnum = builder.enumType('StartWait', {
  description: 'Status that startSession waits for.',
  values: describedValues<'CREATING' | 'RUNNING' | 'LOADED'>({
    CREATING: 'The session exists; returns immediately.',
    RUNNING: 'The browser runs.',
    LOADED:
      'The page of initialPrompt has loaded or failed to load (see lastNavigationError), and the requested screenshot has been taken. Same as RUNNING if there is neither.',
  }),
})

const StartInput = inputTypeOf(START_SESSION_INPUT)
const UpdateInput = inputTypeOf(UPDATE_SESSION_INPUT)

/** Fields that startSession sets, from its input or to their defaults. */
const GIVEN_TO_START = [
  'name',
  'metadata',
  'viewport',
  'userAgent',
  'locale',
  'timezone',
  'ignoreHttpsErrors',
  'geolocation',
  'permissions',
  'colorScheme',
  'reducedMotion',
  'deviceScaleFactor',
  'isMobile',
  'hasTouch',
  'offline',
  'keepAlive',
  'idleTimeoutSeconds',
  'maxDurationSeconds',
  'capture',
  'redact',
  'egress',
  'allowedHosts',
  'proxy',
]

builder.mutationFields((t) => ({
  startSession: t.field({
    type: Session,
    authScopes: NEEDS.write,
    grantScopes: GIVEN_TO_START,
    description:
      'Starts a session. Returns when it has reached waitUntil, or has ended (as data), or after 30 s with its current state; lastNavigationError says why its page could not be opened. Errors: BAD_USER_INPUT, CAPACITY_EXCEEDED, SERVER_DRAINING and STORAGE_FULL (all with retryAfterSeconds), AI_NOT_CONFIGURED.',
    extensions: COST.start,
    args: {
      input: t.arg({ type: StartInput, description: 'The session to start. Default: the defaults.' }),
      waitUntil: t.arg({ type: StartWaitEnum, defaultValue: 'CREATING', description: 'When to return.' }),
    },
    resolve: (_, { input, waitUntil }, context) =>
      context.sessions.start(
        context.require('WRITE').owner,
        input ? withProfileUuid(input) : null,
        waitUntil ?? 'CREATING',
        context.signal,
      ),
  }),
  terminateSession: t.field({
    type: Session,
    authScopes: NEEDS.write,
    description:
      'Ends a session. Idempotent. Its log is kept. Errors: NOT_FOUND, SESSION_NOT_RUNNING (it runs on another machine, without NATS_URL), MACHINE_UNREACHABLE.',
    extensions: COST.change,
    args: { id: t.arg.id({ required: true, description: 'The id of the session.' }) },
    resolve: (_, { id }, context) =>
      terminateSession(context.sessions, context.require('WRITE').owner, sessionUuid(id)),
  }),
  terminateSessions: t.int({
    authScopes: NEEDS.write,
    description:
      'Ends all matching live sessions of the caller, on all machines (without NATS_URL on this one), and returns their number. At least one member of the filter must be set. Errors: BAD_USER_INPUT, MACHINE_UNREACHABLE (others may have ended).',
    extensions: COST.change,
    args: { filter: t.arg({ type: SessionFilterType, required: true, description: 'Sessions to end.' }) },
    resolve: (_, { filter }, context) =>
      terminateSessions(context.sessions, context.require('WRITE').owner, filter as SessionFilterInput),
  }),
  updateSession: t.field({
    type: Session,
    authScopes: NEEDS.write,
    grantScopes: (_, { input }) => givenMembers(input as UpdateSessionInput),
    description:
      'Changes a running session, which counts as activity. Errors: NOT_FOUND, SESSION_NOT_RUNNING, MACHINE_UNREACHABLE, BAD_USER_INPUT.',
    extensions: COST.change,
    args: {
      id: t.arg.id({ required: true, description: 'The id of the session.' }),
      input: t.arg({ type: UpdateInput, required: true, description: 'The changes.' }),
    },
    resolve: (_, { id, input }, context) =>
      updateSession(context.sessions, context.require('WRITE').owner, sessionUuid(id), input as UpdateSessionInput),
  }),
}))

builder.subscriptionField('sessionChanged', (t) =>
  t.field({
    type: Session,
    authScopes: NEEDS.read,
    description:
      'With id: the session as it is now, then its changes; completes after its end. Without: each live session of the caller, then every change of any; stays open. Status at once; URL, title, counts and pending requests at most 4 times a second, the last state always. Errors: NOT_FOUND.',
    args: { id: t.arg.id({ description: 'The id of one session. Default: all of the caller’s.' }) },
    subscribe: async (_, { id }, context) => {
      const { owner } = context.require('READ')
      const session = id == null ? null : await requireSession(context, 'READ', id)
      return context.sessions.changes(owner, session?.id ?? null, context.signal)
    },
    resolve: (session) => session,
  }),
)

/**
 * An id that names no profile becomes the UUID of a profile that does not exist, so that both are rejected alike. A
 * malformed one is left as it is, to be reported together with the other broken rules.
 */
function withProfileUuid(given: unknown): StartSessionInput {
  const input = given as StartSessionInput
  const { profileId } = input
  if (profileId == null || profileId === '' || profileId.length > LONGEST_PROFILE_ID) return input
  return { ...input, profileId: uuidOf('Profile', profileId) ?? NIL }
}
