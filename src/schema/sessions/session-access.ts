import { cdpSubject, LINK_TTL_RULE, LINK_TTL_SECONDS, type LinkTerms } from '../../domain/links/signed-links.ts'
import type { SessionSnapshot } from '../../domain/log/entries/session-snapshot.ts'
import { CDP_PATH } from '../../http-paths.ts'
import { builder } from '../base/builder.ts'
import { encodeGlobalId } from '../../contract/global-id.ts'
import { COST } from '../base/complexity.ts'
import { NEEDS } from '../base/needs.ts'
import { Session } from './session.ts'

interface Access {
  session: SessionSnapshot
  terms: LinkTerms
}

const SessionAccess = builder.objectRef<Access>('SessionAccess').implement({
  authScopes: NEEDS.connect,
  description:
    'Signed links to a session, for clients without a key. They work until they expire, the API key that made them is revoked, or the session ends; connections that are open then are closed.',
  fields: (t) => ({
    cdpUrl: t.string({
      extensions: COST.link,
      description:
        'For chromium.connectOverCDP of Playwright, puppeteer.connect as browserWSEndpoint, and every other client of the Chrome DevTools Protocol. With http instead of ws (https instead of wss), it serves /json/version. Anyone who has it has full control of the session’s pages. A connection that is open when the link expires is closed with code 4403. Several clients can connect at once, and reconnect; when one disconnects, or closes the browser, the session continues. docs/connecting.md lists the commands that are refused.',
      resolve: ({ session, terms }, _, { links }) => {
        const url = links.url(`${CDP_PATH}${encodeGlobalId('Session', session.id)}`, {
          ...links.sign('cdp', cdpSubject(session.id), terms),
        })
        return url.replace(/^http/, 'ws')
      },
    }),
    liveViewUrl: t.string({
      extensions: COST.link,
      authScopes: NEEDS.read,
      description:
        'Opens the live view of the session in a browser, and nothing else of it; with input if the API key has the scope WRITE. Errors: FORBIDDEN (the key lacks READ).',
      resolve: ({ session, terms }, _, context) => {
        context.require('READ')
        const token = context.liveViewLinks.sign(session.id, context.allows('WRITE'), terms)
        // In the fragment it is not sent to any server, and does not appear in access logs.
        const view = new URLSearchParams({ live: encodeGlobalId('Session', session.id), token })
        return `${context.links.base()}/#${view.toString()}`
      },
    }),
    expiresAt: t.field({
      type: 'DateTime',
      description: 'Expiration time of the links; never later than that of the API key.',
      resolve: ({ terms }) => terms.expiresAt,
    }),
  }),
})

builder.objectField(Session, 'access', (t) =>
  t.field({
    type: SessionAccess,
    authScopes: NEEDS.readOrWrite,
    nullable: true,
    description:
      'Signed links for Playwright and Puppeteer, and to the live view. Null unless the session is RUNNING and the key has the scope CONNECT. Errors: BAD_USER_INPUT.',
    args: {
      ttlSeconds: t.arg.int({
        required: true,
        defaultValue: LINK_TTL_SECONDS.default,
        description: `Lifetime of the links, in seconds; they end earlier with the API key. ${LINK_TTL_RULE} Outside is BAD_USER_INPUT.`,
      }),
    },
    resolve: (session, { ttlSeconds }, context) => {
      if (!context.allows('CONNECT')) return null
      const terms = context.links.terms(context.require('CONNECT'), ttlSeconds)
      return session.status === 'RUNNING' ? { session, terms } : null
    },
  }),
)
