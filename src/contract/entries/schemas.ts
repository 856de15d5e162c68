import type { z } from 'zod'
import { action } from './action.ts'
import { artifactCreated, artifactFailed } from './artifact-events.ts'
import { clientAttached, clientDetached } from './client-events.ts'
import { consoleMessage, exceptionHandled } from './console-message.ts'
import { dialog } from './dialog.ts'
import { download } from './download.ts'
import { entriesDropped } from './entries-dropped.ts'
import { eventSourceMessages } from './event-source-messages.ts'
import { issue } from './issue.ts'
import type { SessionEventKind } from './kinds.ts'
import { networkRequest } from './network-request.ts'
import { navigation, pageClosed, pageCrashed, pageOpened } from './page-events.ts'
import { statusChange } from './status-change.ts'
import { taskEnded, taskStep } from './task-events.ts'
import { webSocketClosed, webSocketMessages, webSocketOpened } from './web-socket-events.ts'

/**
 * Schema of each kind of entry, in the newest version: types are derived from it, and stored entries are checked
 * against it. The version number and the upgrades of older entries are in upgrades.ts.
 */
export const ENTRY_SCHEMAS = {
  STATUS_CHANGE: statusChange,
  NAVIGATION: navigation,
  PAGE_OPENED: pageOpened,
  PAGE_CLOSED: pageClosed,
  PAGE_CRASHED: pageCrashed,
  CONSOLE_MESSAGE: consoleMessage,
  NETWORK_REQUEST: networkRequest,
  WEB_SOCKET_OPENED: webSocketOpened,
  WEB_SOCKET_MESSAGES: webSocketMessages,
  WEB_SOCKET_CLOSED: webSocketClosed,
  EVENT_SOURCE_MESSAGES: eventSourceMessages,
  DOWNLOAD: download,
  DIALOG: dialog,
  ENTRIES_DROPPED: entriesDropped,
  ACTION: action,
  ARTIFACT_CREATED: artifactCreated,
  ARTIFACT_FAILED: artifactFailed,
  TASK_STEP: taskStep,
  TASK_ENDED: taskEnded,
  CLIENT_ATTACHED: clientAttached,
  CLIENT_DETACHED: clientDetached,
  ISSUE: issue,
  EXCEPTION_HANDLED: exceptionHandled,
} as const satisfies Record<SessionEventKind, z.ZodType>

export type EntryData = { [K in SessionEventKind]: z.output<(typeof ENTRY_SCHEMAS)[K]> }
