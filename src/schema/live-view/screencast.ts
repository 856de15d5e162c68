import { PICTURE_BOUNDS } from '../../domain/actions/live-view.ts'
import type { PageFrame } from '../../ports/browser/live-view.ts'
import { builder } from '../base/builder.ts'
import { NEEDS } from '../base/needs.ts'
import { sessionUuid, ViewportType } from '../sessions/session.ts'

const { side, quality, maxFps } = PICTURE_BOUNDS

const ScreencastFrame = builder.objectRef<PageFrame>('ScreencastFrame').implement({
  authScopes: NEEDS.frames,
  description: 'Frame of the live view of a page.',
  fields: (t) => ({
    at: t.expose('at', { type: 'DateTime', description: 'When it looked so.' }),
    pageId: t.exposeID('pageId', { description: 'Which page it is, as in Session.pages.' }),
    data: t.exposeString('jpeg', { description: 'The image: JPEG in base64.' }),
    width: t.exposeInt('width', { description: 'Width of the image in pixels.' }),
    height: t.exposeInt('height', { description: 'Height of the image in pixels.' }),
    viewport: t.expose('viewport', {
      type: ViewportType,
      description:
        'The area that the image shows, in CSS pixels. A point of the image times viewport.width / width is one that dispatchInput takes.',
    }),
    skipped: t.exposeInt('skipped', {
      description:
        'Frames skipped since the last one because this reader was too slow; frames skipped by maxFps do not count.',
    }),
  }),
})

builder.subscriptionField('screencast', (t) =>
  t.field({
    type: ScreencastFrame,
    authScopes: (_, { sessionId }) => ({ liveView: { sessionId: sessionUuid(sessionId), scope: 'READ' } }),
    description:
      'Live view of a page: a frame immediately, then one when it has changed. A slow reader gets the newest frame; those before it are dropped and counted, never queued. Continues over navigations and crashes of the page; completes when the session ends, or the selected page closes. Watching is not activity. Errors: NOT_FOUND (the session, the page), SESSION_NOT_RUNNING, MACHINE_UNREACHABLE, BAD_USER_INPUT.',
    args: {
      sessionId: t.arg.id({
        required: true,
        description: 'The id of the session. While it is CREATING the first frame waits.',
      }),
      pageId: t.arg.id({
        description:
          'The page, as in Session.pages. Default: the active page: the one opened or brought to front last.',
      }),
      maxWidth: t.arg.int({
        description: `Max width of the image, which is scaled down: from ${side.min} to ${side.max}. Default: as wide as the page. Readers with the same size and quality share one capture of the browser.`,
      }),
      maxHeight: t.arg.int({
        description: `Maximum height, from ${side.min} to ${side.max}. Default: as high as the page.`,
      }),
      quality: t.arg.int({
        defaultValue: quality.default,
        description: `Of the JPEG: from ${quality.min} to ${quality.max}.`,
      }),
      maxFps: t.arg.int({
        defaultValue: maxFps.default,
        description: `Frames a second at most: from ${maxFps.min} to ${maxFps.max}.`,
      }),
    },
    subscribe: async (_, { sessionId, pageId, ...options }, context) => {
      const uuid = sessionUuid(sessionId)
      const { owner } = context.requireLiveView(uuid, 'READ')
      const session = await context.sessions.requireHandle(owner, uuid)
      return session.watch({ ...options, pageId: pageId ?? null }, context.signal)
    },
    resolve: (frame) => frame,
  }),
)
