import type { EntryDraft, SessionEventKind } from '../../../ports/log/log-entry.ts'

/**
 * Actions of callers and their outcomes are bounded by the callers themselves: no flood from a page may displace
 * them.
 */
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

/** CDP clients act as much and as fast as they like, so their actions may be dropped, too. */
export const isNeverDropped = (draft: EntryDraft): boolean =>
  NEVER_DROPPED[draft.kind] && !(draft.kind === 'ACTION' && draft.data.origin === 'CLIENT')

/** Messages of sockets and streams have a cap where they are recorded, so they never displace other entries. */
export const hasOwnCap = ({ kind }: Pick<EntryDraft, 'kind'>): boolean =>
  kind === 'WEB_SOCKET_MESSAGES' || kind === 'EVENT_SOURCE_MESSAGES'
