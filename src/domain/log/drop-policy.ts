import type { EntryDraft, SessionEventKind } from '../../ports/log-entry.ts'

/** What callers did and got, bounded by what they do: no flood of a page may cost them an entry. */
const NEVER_DROPPED: Readonly<Record<SessionEventKind, boolean>> = {
  STATUS_CHANGE: true,
  NAVIGATION: false,
  PAGE_OPENED: false,
  PAGE_CLOSED: false,
  PAGE_CRASHED: false,
  CONSOLE_MESSAGE: false,
  NETWORK_REQUEST: false,
  WEB_SOCKET_OPENED: false,
  WEB_SOCKET_MESSAGES: false,
  WEB_SOCKET_CLOSED: false,
  EVENT_SOURCE_MESSAGES: false,
  DOWNLOAD: false,
  DIALOG: false,
  ENTRIES_DROPPED: true,
  ACTION: true,
  ARTIFACT_CREATED: true,
  ARTIFACT_FAILED: true,
  TASK_STEP: true,
  TASK_ENDED: true,
  CLIENT_ATTACHED: true,
  CLIENT_DETACHED: true,
  ISSUE: false,
  EXCEPTION_HANDLED: false,
}

/** A client of the browser's protocol does as much as it likes, as fast as it likes: of that, too, some may be dropped. */
export const isNeverDropped = (draft: EntryDraft): boolean =>
  NEVER_DROPPED[draft.kind] && !(draft.kind === 'ACTION' && draft.data.origin === 'CLIENT')

/** Messages of sockets and streams have a cap of their own where they are recorded: they take no other entry's place. */
export const hasOwnCap = ({ kind }: Pick<EntryDraft, 'kind'>): boolean =>
  kind === 'WEB_SOCKET_MESSAGES' || kind === 'EVENT_SOURCE_MESSAGES'
