import { INPUT_EVENT, INPUT_LIMITS } from '../../contract/input-event.ts'
import { inputTypeOf } from '../base/input-type.ts'
import { builder } from '../base/builder.ts'
import { COST } from '../base/complexity.ts'
import { sessionUuid } from '../sessions/session.ts'

builder.mutationField('dispatchInput', (t) =>
  t.field({
    type: 'Boolean',
    authScopes: (_, { sessionId }) => ({ liveView: { sessionId: sessionUuid(sessionId), scope: 'WRITE' } }),
    description:
      'Sends mouse, keyboard and touch events to a page, in order, while actions continue; calls for one page are served one after the other. True: the page has handled all of them. False: an event took longer than 4 s, since the page hangs or a dialog is open, or the call longer than 30 s (queue time included); events that were sent may still be handled, the rest is dropped. It is activity, but is not recorded. While the session is CREATING it waits. Errors: NOT_FOUND (the session, the page), SESSION_NOT_RUNNING, MACHINE_UNREACHABLE, BAD_USER_INPUT.',
    extensions: COST.browser,
    args: {
      sessionId: t.arg.id({ required: true, description: 'The id of the session.' }),
      pageId: t.arg.id({
        description: 'The page, as in Session.pages. Default: the active page, as for screencast.',
      }),
      events: t.arg({
        type: [inputTypeOf(INPUT_EVENT)],
        required: true,
        description: `The events: from 1 to ${INPUT_LIMITS.events}. Coordinates are CSS pixels of the viewport.`,
      }),
    },
    resolve: async (_, { sessionId, pageId, events }, context) => {
      const uuid = sessionUuid(sessionId)
      const { owner } = context.requireLiveView(uuid, 'WRITE')
      const session = await context.sessions.requireHandle(owner, uuid)
      return session.dispatchInput({ pageId: pageId ?? null, events }, context.signal)
    },
  }),
)
