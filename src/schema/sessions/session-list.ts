import { encodeSessionCursor } from '../../domain/kernel/cursor.ts'
import { SESSION_FILTER, type SessionFilterInput } from '../../domain/sessions/input/session-filter.ts'
import { SESSION_PAGE_BOUNDS } from '../../domain/sessions/session-list.ts'
import { builder } from '../base/builder.ts'
import { connectionOf, connectionPage } from '../base/connection.ts'
import { COST } from '../base/complexity.ts'
import { uuidOf } from '../../contract/global-id.ts'
import { inputTypeOf } from '../base/input-type.ts'
import { NEEDS } from '../base/needs.ts'
import { Session } from './session.ts'

export const SessionFilterType = inputTypeOf(SESSION_FILTER)

const SessionConnection = connectionOf('Session', Session)

builder.queryFields((t) => ({
  session: t.field({
    type: Session,
    authScopes: NEEDS.read,
    nullable: true,
    description:
      'The session of this id. Null if the id is malformed or unknown, or if the session belongs to another owner.',
    args: { id: t.arg.id({ required: true, description: 'The id of the session.' }) },
    resolve: (_, { id }, context) => {
      const { owner } = context.require('READ')
      const uuid = uuidOf('Session', id)
      return uuid ? context.sessions.find(owner, uuid) : null
    },
  }),
  sessions: t.field({
    type: SessionConnection,
    authScopes: NEEDS.read,
    description:
      'The caller’s sessions, newest first. Live ones only, unless includeTerminated or filter.status says otherwise. Errors: BAD_USER_INPUT, CURSOR_INVALID.',
    extensions: COST.page,
    args: {
      first: t.arg.int({
        defaultValue: SESSION_PAGE_BOUNDS.default,
        description: `Number of items to return, going forward from \`after\`. From ${SESSION_PAGE_BOUNDS.min} to ${SESSION_PAGE_BOUNDS.max}; outside is BAD_USER_INPUT.`,
      }),
      after: t.arg.string({
        description: 'Only sessions after this cursor: older ones. A cursor of another list is CURSOR_INVALID.',
      }),
      last: t.arg.int({
        description: `Number of items to return, going backward from \`before\` or from the oldest; still newest first. From ${SESSION_PAGE_BOUNDS.min} to ${SESSION_PAGE_BOUNDS.max}. Decides when \`first\` is there too.`,
      }),
      before: t.arg.string({
        description: 'Only sessions before this cursor: newer ones. A cursor of another list is CURSOR_INVALID.',
      }),
      offset: t.arg.int({
        description:
          'Number of sessions to skip, starting with the newest, from 0 to 10000; use cursors for more. With a cursor or with last it is BAD_USER_INPUT.',
      }),
      includeTerminated: t.arg.boolean({
        defaultValue: false,
        description: 'True: also sessions that have ended. Ignored if filter.status is set.',
      }),
      filter: t.arg({ type: SessionFilterType, description: 'Sessions to return. Default: all.' }),
    },
    resolve: async (_, { filter, ...given }, context) => {
      const args = { ...given, filter: filter as SessionFilterInput | null | undefined }
      const { owner } = context.require('READ')
      const { sessions, ...page } = await context.reads.list(() => context.sessions.list(owner, args, context.signal))
      const cursorAt = (index: number) => encodeSessionCursor(owner, sessions[index]!)
      return connectionPage({
        ...page,
        nodes: sessions,
        cursorAt,
        startCursor: sessions.length > 0 ? cursorAt(0) : null,
        endCursor: sessions.length > 0 ? cursorAt(sessions.length - 1) : null,
      })
    },
  }),
}))
