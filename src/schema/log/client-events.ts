import { TEXT_LIMITS, type ClientDetachReason } from '../../ports/log/log-entry.ts'
import { builder } from '../base/builder.ts'
import { describedValues } from '../base/enum-values.ts'
import { entryType } from '../sessions/session-event.ts'

const NUMBER = 'Number of the client within its session, from 1: the same in ClientAttached and ClientDetached.'
const NAME = `User-Agent header of its connection, such as Playwright/1.65.1, at most ${TEXT_LIMITS.clientName} characters; "unknown" without one.`

const ClientDetachReasonEnum = builder.enumType('ClientDetachReason', {
  description: 'Why a client was disconnected.',
  values: describedValues<ClientDetachReason>({
    CLIENT_LEFT: 'It closed its connection, or the browser, which ends its connection alone.',
    CONNECTION_LOST: 'The connection broke.',
    CUT_OFF: 'It sent an invalid message, left too much unread, or had 20,000 unanswered commands.',
    LINK_EXPIRED: 'The link of its connection expired.',
    LINK_REVOKED: 'The API key that made the link was revoked, or could not be checked for 5 minutes.',
    SESSION_ENDED: 'The session ended.',
  }),
})

const ClientAttached = entryType(
  'CLIENT_ATTACHED',
  'A client, such as Playwright or Puppeteer, connected to the browser of the session through Session.access.',
)

builder.objectFields(ClientAttached, (t) => ({
  clientId: t.int({ description: NUMBER, resolve: ({ entry }) => entry.data.clientId }),
  name: t.string({ description: NAME, resolve: ({ entry }) => entry.data.name }),
}))

const ClientDetached = entryType('CLIENT_DETACHED', 'A client of the browser’s protocol is connected no more.')

builder.objectFields(ClientDetached, (t) => ({
  clientId: t.int({ description: NUMBER, resolve: ({ entry }) => entry.data.clientId }),
  name: t.string({ description: NAME, resolve: ({ entry }) => entry.data.name }),
  detachReason: t.field({
    type: ClientDetachReasonEnum,
    description: 'Why it is connected no more.',
    resolve: ({ entry }) => entry.data.reason,
  }),
  commandCount: t.int({
    description: 'Total number of commands it sent.',
    resolve: ({ entry }) => entry.data.commandCount,
  }),
}))
