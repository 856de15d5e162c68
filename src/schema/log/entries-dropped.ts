import type { DropReason } from '../../ports/log/log-entry.ts'
import { SESSION_EVENT_KINDS } from '../../ports/log/log-entry.ts'
import { builder } from '../base/builder.ts'
import { describedValues } from '../base/enum-values.ts'
import { entryType, SessionEventKindEnum } from '../sessions/session-event.ts'

const DropReasonEnum = builder.enumType('DropReason', {
  description: 'Why something could not be recorded.',
  values: describedValues<DropReason>(
    {
      FLOOD: 'The rate or the total exceeded what the server records.',
      LOG_LIMIT: 'The log of the session is full (TABWIRE_MAX_LOG_ENTRIES).',
      STORE_UNAVAILABLE: 'The database was away for longer than the queue holds.',
      UNSTORABLE:
        'The database rejected data of the page; or the log failed, and the session ends with INTERNAL_ERROR.',
      MESSAGE_TOO_LARGE: 'A message of the browser was too large to be processed.',
      TERMINATED:
        'The session ended while a page or worker did not respond or was still active, or its browser or server was killed: entries that the browser had not handed over may be missing.',
      UNREADABLE:
        'A stored entry is damaged, or was written by a newer version of Tabwire. It takes the place of that entry.',
    },
    { STORE_UNAVAILABLE: 'DATABASE_UNAVAILABLE' },
  ),
})

const EntriesDropped = entryType(
  'ENTRIES_DROPPED',
  'Entries that could not be recorded, counted by an entry in their place: sequences stay dense.',
)

builder.objectFields(EntriesDropped, (t) => ({
  reason: t.field({ type: DropReasonEnum, description: 'Why.', resolve: ({ entry }) => entry.data.reason }),
  count: t.int({
    nullable: true,
    description:
      'Number of entries missing here. Null if unknown (TERMINATED, or UNREADABLE if the entry was itself an EntriesDropped).',
    resolve: ({ entry }) => entry.data.count,
  }),
  kinds: t.field({
    type: [SessionEventKindEnum],
    description: 'Of which kinds they were.',
    resolve: ({ entry }) => SESSION_EVENT_KINDS.filter((kind) => (entry.data.countsByKind[kind] ?? 0) > 0),
  }),
  firstAt: t.field({
    type: 'DateTime',
    description:
      'When the first of them happened; with a count of null, the earliest time at which one can have happened.',
    resolve: ({ entry }) => entry.data.from,
  }),
  lastAt: t.field({
    type: 'DateTime',
    description: 'When the last of them happened; with a count of null, the end of the session.',
    resolve: ({ entry }) => entry.data.to,
  }),
}))
