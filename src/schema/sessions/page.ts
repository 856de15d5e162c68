import { OBSERVATION_CHARACTERS } from '../../domain/actions/actions.ts'
import type { ObservedPage } from '../../domain/sessions/session-handle.ts'
import type { PageState } from '../../ports/browser/browser.ts'
import { TargetInput } from '../base/action-input.ts'
import { builder } from '../base/builder.ts'
import { COST } from '../base/complexity.ts'
import { NEEDS } from '../base/needs.ts'
import { Session } from './session.ts'

/** A page with the UUID of its session. */
interface PageNode extends PageState {
  sessionId: string
}

const Observation = builder.objectRef<ObservedPage>('Observation').implement({
  authScopes: NEEDS.read,
  description: 'Snapshot of a page as assistive technology sees it, as text for models and people.',
  fields: (t) => ({
    url: t.exposeString('url', { description: 'The URL of the page.' }),
    title: t.exposeString('title', { description: 'Its title; empty when it has none.' }),
    snapshot: t.exposeString('snapshot', {
      description:
        'The accessibility tree as indented text, frames included: role, name and state of each element, with refs such as [ref=e4] that work in Target.ref for as long as the element is there.',
    }),
    truncated: t.exposeInt('truncated', {
      description: 'Number of characters that maxCharacters cut at the end; 0 if it is complete.',
    }),
    screenshot: t.string({
      nullable: true,
      description:
        'Screenshot of the viewport: JPEG in base64. Null unless requested, or if the page provided none within another 30 s, as while its fonts do not load.',
      resolve: ({ picture }) => (picture ? Buffer.from(picture).toString('base64') : null),
    }),
  }),
})

const Page = builder.objectRef<PageNode>('Page').implement({
  authScopes: NEEDS.read,
  description: 'A page of a session as it is now: a tab, or a popup.',
  fields: (t) => ({
    id: t.exposeID('pageId', {
      description: 'p1, p2, … within the session, in the order of opening: the pageId of log entries and filters.',
    }),
    url: t.exposeString('url', { description: 'Its URL; about:blank or empty before the first navigation.' }),
    title: t.exposeString('title', { description: 'Its title; empty when it has none.' }),
    observation: t.field({
      type: Observation,
      description:
        'Observes the page now, while actions continue. If one page cannot be observed, all pages of the query fail: pages(id) selects one. Errors: BAD_USER_INPUT, SESSION_NOT_RUNNING, MACHINE_UNREACHABLE, and failures of the page as codes of ActionErrorCode: TIMEOUT (it did not respond within 30 s), NOT_ACTIONABLE (a dialog is open), NOT_FOUND (the page, or the element of target), STALE_REF, PAGE_CLOSED …',
      extensions: COST.observation,
      args: {
        maxCharacters: t.arg.int({
          description: `Maximum length of the snapshot in characters, from ${OBSERVATION_CHARACTERS.min} to ${OBSERVATION_CHARACTERS.max}. Default: ${OBSERVATION_CHARACTERS.default}.`,
        }),
        target: t.arg({
          type: TargetInput,
          description: 'Only this element and its descendants. Default: the whole page.',
        }),
        screenshot: t.arg.boolean({ defaultValue: false, description: 'True: with a screenshot of the page.' }),
      },
      resolve: async ({ sessionId, pageId }, { maxCharacters, target, screenshot }, context) => {
        const session = await context.sessions.requireHandle(context.require('READ').owner, sessionId)
        const given = { pageId, maxCharacters, target, withPicture: screenshot === true }
        return session.observe(given, context.signal)
      },
    }),
  }),
})

builder.objectField(Session, 'pages', (t) =>
  t.field({
    type: [Page],
    authScopes: NEEDS.read,
    nullable: true,
    description:
      'Open pages, oldest first. Empty while no browser runs. All sessions of a list are queried in parallel, with 2 s in total. Null if the session’s machine did not respond in time.',
    extensions: COST.shortList,
    args: { id: t.arg.id({ description: 'Only this page; an empty list if it is not open. Default: all.' }) },
    resolve: async ({ id: sessionId }, { id }, { liveSessions }) => {
      const pages = await liveSessions.pages(sessionId)
      const wanted = pages?.filter(({ pageId }) => id == null || pageId === id)
      return wanted?.map((page) => ({ ...page, sessionId })) ?? null
    },
  }),
)
