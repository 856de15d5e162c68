import { NotFound } from '../../domain/kernel/errors.ts'
import { PROFILE_LIMITS, SAVE_SECONDS, saveProfile } from '../../domain/profiles/profiles.ts'
import type { ProfileDescription } from '../../ports/sessions/profile.ts'
import { builder } from '../base/builder.ts'
import { COST } from '../base/complexity.ts'
import { uuidOf } from '../../contract/global-id.ts'
import { NEEDS } from '../base/needs.ts'
import { foundByUuid } from '../base/node.ts'
import { Session, sessionUuid } from '../sessions/session.ts'
import { Viewer } from './viewer.ts'

const Profile = builder.node(builder.objectRef<ProfileDescription>('Profile'), {
  ...foundByUuid('READ', (owner, uuid, { profiles }) => profiles.find(owner, uuid)),
  id: { description: 'Of this profile, for startSession.', resolve: ({ id }) => id },
  authScopes: NEEDS.readOrWrite,
  description:
    'Cookies, local storage and IndexedDB of a session, stored under a name, encrypted. It does not include sessionStorage and caches. Any number of sessions may start from it; their changes are not saved to it.',
  fields: (t) => ({
    name: t.exposeString('name', {
      authScopes: NEEDS.readOrWrite,
      description: 'Name, unique for each owner.',
    }),
    sizeBytes: t.expose('sizeBytes', {
      authScopes: NEEDS.readOrWrite,
      type: 'SafeInt',
      description: 'Size of its content in bytes, before encryption.',
    }),
    createdAt: t.expose('createdAt', {
      authScopes: NEEDS.readOrWrite,
      type: 'DateTime',
      description: 'When it was first saved.',
    }),
    updatedAt: t.expose('updatedAt', {
      authScopes: NEEDS.readOrWrite,
      type: 'DateTime',
      description: 'When it was last saved.',
    }),
  }),
})

builder.objectField(Viewer, 'profiles', (t) =>
  t.field({
    type: [Profile],
    authScopes: NEEDS.read,
    description: 'The profiles of the same owner, by name.',
    extensions: COST.shortList,
    resolve: ({ owner }, _, { profiles, reads }) => reads.list(() => profiles.list(owner)),
  }),
)

builder.objectField(Session, 'profile', (t) =>
  t.field({
    type: Profile,
    authScopes: NEEDS.read,
    nullable: true,
    description: 'The profile that it started with. Null if there was none, or once it has been deleted.',
    extensions: COST.page,
    resolve: ({ owner, profileId }, _, { profiles }) => (profileId === null ? null : profiles.find(owner, profileId)),
  }),
)

builder.mutationFields((t) => ({
  saveProfile: t.field({
    type: Profile,
    authScopes: NEEDS.write,
    description: `Keeps cookies, local storage and IndexedDB of a running session under a name, for startSession(profileId). One of the same name is replaced and keeps its id. Waits for pending actions. A profile may have ${PROFILE_LIMITS.bytes} bytes, an owner ${PROFILE_LIMITS.perOwner} profiles. Errors: NOT_FOUND, SESSION_NOT_RUNNING, MACHINE_UNREACHABLE, BAD_USER_INPUT, TIMEOUT (a page did not answer for ${SAVE_SECONDS} s: it hangs, or a dialog is open).`,
    extensions: COST.act,
    args: {
      sessionId: t.arg.id({ required: true, description: 'The id of the session.' }),
      name: t.arg.string({
        required: true,
        description: `Of the profile: 1 to ${PROFILE_LIMITS.name} characters, none of them a control character.`,
      }),
    },
    resolve: (_, { sessionId, name }, context) => {
      const { owner } = context.require('WRITE')
      const given = { sessionId: sessionUuid(sessionId), name }
      return saveProfile(context.sessions, owner, given, context.signal)
    },
  }),
  deleteProfile: t.id({
    authScopes: NEEDS.write,
    description: 'Deletes a profile, and returns its id. Sessions that started with it continue. Errors: NOT_FOUND.',
    extensions: COST.change,
    args: { id: t.arg.id({ required: true, description: 'The id of the profile.' }) },
    resolve: async (_, { id }, context) => {
      const { owner } = context.require('WRITE')
      const uuid = uuidOf('Profile', id)
      if (!uuid) throw new NotFound('profile')
      await context.profiles.delete(owner, uuid)
      return id
    },
  }),
}))
