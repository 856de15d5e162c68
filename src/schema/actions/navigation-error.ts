import type { NavigationError } from '../../ports/sessions/session-record.ts'
import { builder } from '../base/builder.ts'
import { NEEDS } from '../base/needs.ts'
import { Session } from '../sessions/session.ts'
import { ActionErrorCodeEnum } from './action.ts'

const NavigationErrorType = builder.objectRef<NavigationError>('NavigationError').implement({
  authScopes: NEEDS.read,
  description: 'Why a page could not be opened.',
  fields: (t) => ({
    url: t.exposeString('url', { description: 'URL that was to be opened.' }),
    code: t.expose('code', {
      type: ActionErrorCodeEnum,
      description: 'Error code: NAVIGATION_FAILED, TIMEOUT or BLOCKED.',
    }),
    message: t.exposeString('message', {
      description: 'Error message, with the error of the browser, such as net::ERR_CONNECTION_REFUSED.',
    }),
    at: t.expose('at', { type: 'DateTime', description: 'When it failed.' }),
  }),
})

builder.objectField(Session, 'lastNavigationError', (t) =>
  t.expose('lastNavigationError', {
    authScopes: NEEDS.read,
    type: NavigationErrorType,
    nullable: true,
    description:
      'Why the last navigation by initialPrompt, navigate or openPage failed; kept after the session ended. Null when it worked, when the page has shown a document since, and when there was none. Frames within a page do not count, nor do navigations of clients of the browser’s protocol. The log has the failure as an Action.',
  }),
)
