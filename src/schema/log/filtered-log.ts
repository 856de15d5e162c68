import type { OutputRef } from '@pothos/core'
import type { InputDefinition, InputFields } from '../../contract/input/input-field.ts'
import type { EntryFilter, SessionEventKind } from '../../ports/log/log-entry.ts'
import { builder } from '../base/builder.ts'
import { connectionOf } from '../base/connection.ts'
import { COST } from '../base/complexity.ts'
import { inputTypeOf } from '../base/input-type.ts'
import { NEEDS } from '../base/needs.ts'
import { AFTER_DESCRIPTION, batchOf, logConnectionPage, logPageArguments } from '../sessions/session-event.ts'
import { requireSession, Session, sessionUuid } from '../sessions/session.ts'

interface FilteredLog<Member extends Exclude<keyof EntryFilter, 'kinds'>> {
  /** Name of both fields. */
  name: string
  kind: SessionEventKind
  /** The type of one entry, and its name. */
  entry: OutputRef<object>
  typename: string
  filter: InputDefinition<InputFields>
  /** The member of EntryFilter with the filter. */
  member: Member
  /** Decodes the global ids in a filter, where it has some. */
  decoded?: (filter: object, sessionUuid: string) => object
  /** Plural noun for the filtered entries. */
  wanted: string
  /** Description of a batch, such as: Lines of the console. */
  batch: string
  description: string
  subscription: string
}

/**
 * Entries of one kind, with a filter of their own: in pages as a field of Session, and from any cursor as a
 * subscription of the same name.
 */
export function filteredLog<Member extends Exclude<keyof EntryFilter, 'kinds'>>(log: FilteredLog<Member>): void {
  const Filter = inputTypeOf(log.filter)
  const Connection = connectionOf(log.typename, log.entry)
  const Batch = batchOf(`${log.typename}Batch`, log.entry, log.batch)
  const filterDescription = `Filter for ${log.wanted}. Default: all.`
  const filterOf = (filter: unknown, session: string): EntryFilter => {
    const decoded = log.decoded && typeof filter === 'object' && filter ? log.decoded(filter, session) : filter
    return { kinds: [log.kind], [log.member]: decoded }
  }

  builder.objectField(Session, log.name, (t) =>
    t.field({
      type: Connection,
      authScopes: NEEDS.read,
      description: `${log.description} Errors: NOT_FOUND (its deletion has begun), BAD_USER_INPUT, CURSOR_INVALID.`,
      extensions: COST.page,
      args: { ...logPageArguments, filter: t.arg({ type: Filter, description: filterDescription }) },
      resolve: async (session, { filter, ...page }, { logs }) =>
        logConnectionPage(session.id, await logs.page(session, { ...page, filter: filterOf(filter, session.id) })),
    }),
  )

  builder.subscriptionField(log.name, (t) =>
    t.field({
      type: Batch,
      authScopes: NEEDS.read,
      description: log.subscription,
      args: {
        sessionId: t.arg.id({ required: true, description: 'The id of the session.' }),
        after: t.arg.string({ description: AFTER_DESCRIPTION }),
        filter: t.arg({ type: Filter, description: filterDescription }),
      },
      subscribe: async (_, { sessionId, after, filter }, context) => {
        const session = await requireSession(context, 'READ', sessionId)
        return context.logs.follow(session, { after, filter: filterOf(filter, session.id) }, context.signal)
      },
      resolve: (batch, { sessionId }) => ({ sessionId: sessionUuid(sessionId), batch }),
    }),
  )
}
