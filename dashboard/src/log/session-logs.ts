import type { ResultOf, VariablesOf } from 'gql.tada'
import type { Api } from '../api/api.ts'
import { LogFeed } from './log-feed.ts'
import { WatchConsole, WatchNetwork, WatchTimeline } from '../api/log-operations.ts'

export type ConsoleLine = ResultOf<typeof WatchConsole>['consoleMessages']['entries'][number]
export type Request = ResultOf<typeof WatchNetwork>['networkRequests']['entries'][number]
export type TimelineEntry = ResultOf<typeof WatchTimeline>['sessionEvents']['entries'][number]

type SessionEventKind = NonNullable<VariablesOf<typeof WatchTimeline>['kinds']>[number]

/**
 * Kinds shown in the timeline: all but messages and requests, which have panels of their own or are shown with their
 * socket or request.
 */
const IN_TIMELINE: Readonly<Record<SessionEventKind, boolean>> = {
  STATUS_CHANGE: true,
  NAVIGATION: true,
  PAGE_OPENED: true,
  PAGE_CLOSED: true,
  PAGE_CRASHED: true,
  CONSOLE_MESSAGE: false,
  NETWORK_REQUEST: false,
  WEB_SOCKET_OPENED: true,
  WEB_SOCKET_MESSAGES: false,
  WEB_SOCKET_CLOSED: true,
  EVENT_SOURCE_MESSAGES: false,
  DOWNLOAD: true,
  DIALOG: true,
  ENTRIES_DROPPED: true,
  ACTION: true,
  ARTIFACT_CREATED: true,
  ARTIFACT_FAILED: true,
  CLIENT_ATTACHED: true,
  CLIENT_DETACHED: true,
  TASK_STEP: true,
  TASK_ENDED: true,
  ISSUE: true,
  EXCEPTION_HANDLED: true,
}

const TIMELINE_KINDS = (Object.keys(IN_TIMELINE) as SessionEventKind[]).filter((kind) => IN_TIMELINE[kind])

/**
 * The logs of one session. Each is read from the moment its panel is first shown, and kept while the session is open.
 */
export class SessionLogs {
  readonly console
  readonly network
  readonly timeline

  constructor(api: Api, session: string) {
    this.console = new LogFeed(api, WatchConsole, { session })
    this.network = new LogFeed(api, WatchNetwork, { session })
    this.timeline = new LogFeed(api, WatchTimeline, { session, kinds: TIMELINE_KINDS })
  }

  stop(): void {
    this.console.stop()
    this.network.stop()
    this.timeline.stop()
  }
}
