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
      'Gives a page what a person does with mouse, keyboard and fingers, in order, beside whatever actions go on; calls for one page are served one after the other. True: the page has taken it. False: it took longer than 4 s for one event, as it hangs or a dialog is open, or than 30 s for all; what it was given before may still come to pass, the rest is dropped. It is activity, but stands in no log. While the session is CREATING it waits. Errors: NOT_FOUND (the session, the page), SESSION_NOT_RUNNING, BAD_USER_INPUT.',
    extensions: COST.browser,
    args: {
      sessionId: t.arg.id({ required: true, description: 'The id of the session.' }),
      pageId: t.arg.id({
        description: 'The page, as in Session.pages. Absent: the one in front, as for screencast.',
      }),
      events: t.arg({
        type: [inputTypeOf(INPUT_EVENT)],
        required: true,
        description: `What the person does: from 1 to ${INPUT_LIMITS.events}. Coordinates are CSS pixels of the viewport.`,
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
