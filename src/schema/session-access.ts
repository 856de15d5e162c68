import { LINK_TTL_RULE, LINK_TTL_SECONDS } from '../domain/signed-links.ts'
import type { SessionSnapshot } from '../domain/session-snapshot.ts'
import { builder } from './builder.ts'
import type { Context } from './context.ts'
import { encodeGlobalId } from './global-id.ts'
import { NEEDS } from './needs.ts'
import { Session } from './session.ts'

/** Where the server has the connections of clients that speak the browser's protocol. */
export const CDP_PATH = '/cdp/'

/** What is signed of such a link. */
export const cdpSubject = (sessionId: string): readonly string[] => [sessionId]

interface Access {
  cdpUrl: string
  liveViewUrl: string
  expiresAt: number
}

const SessionAccess = builder.objectRef<Access>('SessionAccess').implement({
  authScopes: NEEDS.connect,
  description:
    'Signed links to a session, for clients that are to have no key. Each works until it expires or the session ends, also where the key that asked for it has been revoked meanwhile.',
  fields: (t) => ({
    cdpUrl: t.exposeString('cdpUrl', {
      description:
        'For chromium.connectOverCDP of Playwright, puppeteer.connect as browserWSEndpoint, and every other client of the Chrome DevTools Protocol. With http in the place of ws (https of wss), clients that look for /json/version find it. Whoever has it may do with the session’s pages what it likes; a connection that is open when the link expires stays open. Several clients may connect at once, and again; when one leaves, or closes the browser, the session goes on. What is refused, see the README.',
    }),
    liveViewUrl: t.exposeString('liveViewUrl', {
      description:
        'Opens the live picture of the session in a browser, and nothing else of it; with input, if the key has the scope WRITE. When the link expires, what it has open is closed.',
    }),
    expiresAt: t.expose('expiresAt', { type: 'DateTime', description: 'When the links cease to work.' }),
  }),
})

builder.objectField(Session, 'access', (t) =>
  t.field({
    type: SessionAccess,
    authScopes: NEEDS.readOrWrite,
    nullable: true,
    description:
      'Signed links for Playwright and Puppeteer, and to the live picture. Null unless the session is RUNNING and the key has the scope CONNECT. Errors: BAD_USER_INPUT.',
    args: {
      ttlSeconds: t.arg.int({
        required: true,
        defaultValue: LINK_TTL_SECONDS.default,
        description: `How long the links shall work, in seconds. ${LINK_TTL_RULE} Outside is BAD_USER_INPUT.`,
      }),
    },
    resolve: (session, { ttlSeconds }, context) => {
      const access = accessTo(session, ttlSeconds, context)
      return session.status === 'RUNNING' && context.allows('CONNECT') ? access : null
    },
  }),
)

function accessTo({ id }: SessionSnapshot, ttlSeconds: number, context: Context): Access {
  const { links, liveViewLinks } = context
  const { expiresAt, query } = links.sign('cdp', cdpSubject(id), ttlSeconds)
  const url = links.url(`${CDP_PATH}${encodeGlobalId('Session', id)}`, query)
  const { token } = liveViewLinks.sign(id, context.allows('WRITE'), ttlSeconds)
  // Behind # it is sent to no server, and stands in no log of one.
  const view = new URLSearchParams({ live: encodeGlobalId('Session', id), token })
  return { cdpUrl: url.replace(/^http/, 'ws'), liveViewUrl: `${links.base()}/#${view.toString()}`, expiresAt }
}
