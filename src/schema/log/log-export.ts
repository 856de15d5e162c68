import { CONSOLE_FILTER, NETWORK_FILTER } from '../../domain/log/entries/entry-filter-input.ts'
import type { ExportFormat, ExportTicket } from '../../domain/links/log-exports.ts'
import { LINK_TTL_RULE, LINK_TTL_SECONDS } from '../../domain/links/signed-links.ts'
import { encodeGlobalId } from '../../contract/global-id.ts'
import { EXPORTS_PATH } from '../../http-paths.ts'
import type { ConsoleFilter, NetworkFilter } from '../../ports/log/log-entry.ts'
import { builder } from '../base/builder.ts'
import { COST } from '../base/complexity.ts'
import { describedValues } from '../base/enum-values.ts'
import { inputTypeOf } from '../base/input-type.ts'
import { NEEDS } from '../base/needs.ts'
import { SessionEventKindEnum } from '../sessions/session-event.ts'
import { requireSession } from '../sessions/session.ts'

const LogExportFormatEnum = builder.enumType('LogExportFormat', {
  description: 'Format of an export of a log.',
  values: describedValues<ExportFormat>({
    HAR: 'HTTP archive 1.2 of requests with their bodies and of WebSockets with their messages, for DevTools and for routeFromHAR of Playwright.',
    NDJSON:
      'Newline-delimited JSON: one line for each entry, with the fields that the API has for it, its kind, sequence, time and cursor.',
  }),
})

const LogExportFilter = builder.inputType('LogExportFilter', {
  description: 'Filter of an export. Filters are combined with AND; null or omitted ones are ignored.',
  fields: (t) => ({
    kinds: t.field({ type: [SessionEventKindEnum], description: 'Only these kinds of entries.' }),
    console: t.field({
      type: inputTypeOf(CONSOLE_FILTER),
      description: 'Filter of its console messages; other entries are not affected.',
    }),
    network: t.field({
      type: inputTypeOf(NETWORK_FILTER),
      description: 'Filter of its requests; in a HAR of its WebSockets as well. Other entries are not affected.',
    }),
  }),
})

const LogExportLink = builder.objectRef<ExportTicket>('LogExportLink').implement({
  authScopes: NEEDS.read,
  description:
    'Signed link to an export of a log. It works without a key until it expires, the API key that made it is revoked, or the session is deleted; a download that is under way then is aborted.',
  fields: (t) => ({
    url: t.string({
      description:
        'Responds to GET with the log as it is then, up to its newest entry, compressed for clients that accept gzip. The header Tabwire-Cursor has the cursor of that place. With &after=<cursor>, an NDJSON export has the lines after it alone: to resume a download, or to get what has been logged since. Responds 400 for a cursor that is not of this log, 403 when the link is invalid, 503 to more than 8 downloads of one owner at once.',
      resolve: (ticket, _, { links, exports }) => {
        const { sessionId, format, filter } = ticket
        const path = `${EXPORTS_PATH}${encodeGlobalId('Session', sessionId)}.${format.toLowerCase()}`
        return links.url(path, { filter, ...exports.sign(ticket) })
      },
    }),
    expiresAt: t.expose('expiresAt', {
      type: 'DateTime',
      description: 'Expiration time of the link; never later than that of the API key.',
    }),
  }),
})

builder.queryField('exportLog', (t) =>
  t.field({
    type: LogExportLink,
    authScopes: NEEDS.read,
    description:
      'A link to the log of a session, whole or filtered, as a file; also of a live session, and of one that has ended. Errors: NOT_FOUND, BAD_USER_INPUT.',
    extensions: COST.page,
    args: {
      sessionId: t.arg.id({ required: true, description: 'The id of the session.' }),
      format: t.arg({ type: LogExportFormatEnum, required: true, description: 'The format of the file.' }),
      filter: t.arg({ type: LogExportFilter, description: 'Filter for entries. Default: all.' }),
      ttlSeconds: t.arg.int({
        required: true,
        defaultValue: LINK_TTL_SECONDS.default,
        description: `Lifetime of the link, in seconds; it ends earlier with the API key. ${LINK_TTL_RULE} Outside is BAD_USER_INPUT.`,
      }),
    },
    resolve: async (_, { sessionId, format, filter, ttlSeconds }, context) => {
      const session = await requireSession(context, 'READ', sessionId)
      const { kinds = null, console, network } = filter ?? {}
      const wanted = { kinds, console: console as ConsoleFilter, network: network as NetworkFilter }
      return context.exports.ticket(context.require('READ'), session, format, wanted, ttlSeconds)
    },
  }),
)
