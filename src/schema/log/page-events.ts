import { TEXT_LIMITS } from '../../ports/log/log-entry.ts'
import { builder } from '../base/builder.ts'
import { entryType } from '../sessions/session-event.ts'

const PAGE_ID = 'The page, as in Session.pages. Never null in this kind of entry.'
const URL_RULE = `cut at ${TEXT_LIMITS.url} UTF-16 code units`

const Navigation = entryType('NAVIGATION', 'A page went to another URL.')

builder.objectFields(Navigation, (t) => ({
  pageId: t.id({ nullable: true, description: PAGE_ID, resolve: ({ entry }) => entry.data.pageId }),
  url: t.string({ description: `The new URL, ${URL_RULE}.`, resolve: ({ entry }) => entry.data.url }),
  sameDocument: t.boolean({
    description: 'True where no new document was loaded: history.pushState, a fragment and the like.',
    resolve: ({ entry }) => entry.data.sameDocument,
  }),
}))

const PageOpened = entryType('PAGE_OPENED', 'A page or popup opened.')

builder.objectFields(PageOpened, (t) => ({
  pageId: t.id({ nullable: true, description: PAGE_ID, resolve: ({ entry }) => entry.data.pageId }),
  url: t.string({
    description: `Its URL then, ${URL_RULE}; empty or about:blank before its first navigation.`,
    resolve: ({ entry }) => entry.data.url,
  }),
  openerPageId: t.id({
    nullable: true,
    description: 'The page that opened it. Null when none did.',
    resolve: ({ entry }) => entry.data.openerPageId,
  }),
}))

const PageClosed = entryType('PAGE_CLOSED', 'A page closed.')

builder.objectFields(PageClosed, (t) => ({
  pageId: t.id({
    nullable: true,
    description: 'The page that was closed, as in Session.pages before. Never null in this kind of entry.',
    resolve: ({ entry }) => entry.data.pageId,
  }),
  url: t.string({ description: `Its last URL, ${URL_RULE}.`, resolve: ({ entry }) => entry.data.url }),
}))

const PageCrashed = entryType('PAGE_CRASHED', 'The process behind a page died. The page is dead, its session lives on.')

builder.objectFields(PageCrashed, (t) => ({
  crashReason: t.string({
    nullable: true,
    description:
      'Termination reason of the process as reported by the browser: "crashed", "oom" (out of memory), "killed" … Null if the browser did not report it.',
    resolve: ({ entry }) => entry.data.crashReason,
  }),
  crashCode: t.int({
    nullable: true,
    description: 'Signal or exit code of the process. Null if the browser did not report it.',
    resolve: ({ entry }) => entry.data.crashCode,
  }),
  pageId: t.id({ nullable: true, description: PAGE_ID, resolve: ({ entry }) => entry.data.pageId }),
  url: t.string({ description: `Its URL, ${URL_RULE}.`, resolve: ({ entry }) => entry.data.url }),
}))
