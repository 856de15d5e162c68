import { builder } from '../base/builder.ts'
import { connectionOf } from '../base/connection.ts'
import { COST } from '../base/complexity.ts'
import { NEEDS } from '../base/needs.ts'
import {
  AFTER_DESCRIPTION,
  batchOf,
  logConnectionPage,
  logPageArguments,
  SessionEvent,
  SessionEventKindEnum,
} from '../sessions/session-event.ts'
import { requireSession, Session, sessionUuid } from '../sessions/session.ts'

const SessionEventConnection = connectionOf('SessionEvent', SessionEvent)
const SessionEventBatch = batchOf('SessionEventBatch', SessionEvent, 'Entries of the log')

builder.objectField(Session, 'events', (t) =>
  t.field({
    type: SessionEventConnection,
    authScopes: NEEDS.read,
    description:
      'The whole log in order, available after the session has ended, too. Errors: NOT_FOUND (its deletion has begun), BAD_USER_INPUT, CURSOR_INVALID.',
    extensions: COST.page,
    args: {
      ...logPageArguments,
      kinds: t.arg({ type: [SessionEventKindEnum], description: 'Only these kinds. Absent or null: every kind.' }),
    },
    resolve: async (session, { kinds, ...page }, { logs }) =>
      logConnectionPage(session.id, await logs.page(session, { ...page, filter: { kinds: kinds ?? null } })),
  }),
)

builder.subscriptionField('sessionEvents', (t) =>
  t.field({
    type: SessionEventBatch,
    authScopes: NEEDS.read,
    description:
      'The whole log of a session in order: replays from `after` (from the first entry when absent), then streams new entries; completes when the session has ended and everything was delivered. Errors: NOT_FOUND, CURSOR_INVALID.',
    args: {
      sessionId: t.arg.id({ required: true, description: 'The id of the session.' }),
      after: t.arg.string({ description: AFTER_DESCRIPTION }),
      kinds: t.arg({ type: [SessionEventKindEnum], description: 'Only these kinds. Absent or null: every kind.' }),
    },
    subscribe: async (_, { sessionId, after, kinds }, context) =>
      context.logs.follow(
        await requireSession(context, 'READ', sessionId),
        { after, filter: { kinds: kinds ?? null } },
        context.signal,
      ),
    resolve: (batch, { sessionId }) => ({ sessionId: sessionUuid(sessionId), batch }),
  }),
)
