import type { PageState } from '../ports/browser.ts'
import { builder } from './builder.ts'
import { COST } from './cost.ts'
import { Session } from './session.ts'

const Page = builder.objectRef<PageState>('Page').implement({
  description: 'A page of a session as it is now: a tab, or a popup.',
  fields: (t) => ({
    id: t.exposeID('pageId', {
      description: 'p1, p2, … within the session, in the order of opening: the pageId of log entries and filters.',
    }),
    url: t.exposeString('url', { description: 'Its URL; about:blank or empty before the first navigation.' }),
    title: t.exposeString('title', { description: 'Its title; empty when it has none.' }),
  }),
})

builder.objectField(Session, 'pages', (t) =>
  t.field({
    type: [Page],
    description: 'The pages that are open now, oldest first. Empty while no browser runs.',
    extensions: COST.shortList,
    resolve: (session, _, { registry }) => registry.pages(session.id),
  }),
)
