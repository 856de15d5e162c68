import { builder } from '../base/builder.ts'
import { entryType } from '../sessions/session-event.ts'
import { SessionEndReasonEnum, SessionStatusEnum } from '../sessions/session.ts'

const StatusChange = entryType(
  'STATUS_CHANGE',
  'A change of the session’s status. The first entry of a log is the creation of the session, the last its end.',
)

builder.objectFields(StatusChange, (t) => ({
  from: t.field({
    type: SessionStatusEnum,
    nullable: true,
    description: 'Previous status. Null for the creation.',
    resolve: ({ entry }) => entry.data.from,
  }),
  to: t.field({ type: SessionStatusEnum, description: 'The new status.', resolve: ({ entry }) => entry.data.to }),
  endReason: t.field({
    type: SessionEndReasonEnum,
    nullable: true,
    description: 'Why it ended. Null unless `to` is final.',
    resolve: ({ entry }) => entry.data.endReason,
  }),
  errorMessage: t.string({
    nullable: true,
    description: 'Error message of a failed session. Null if there was no error.',
    resolve: ({ entry }) => entry.data.error,
  }),
}))
