import type { ResultOf } from 'gql.tada'
import type { Api } from './api.ts'
import { LogFeed } from './log-feed.ts'
import { WatchConsole, WatchNetwork, WatchStory } from './log-operations.ts'

export type ConsoleLine = ResultOf<typeof WatchConsole>['consoleMessages']['entries'][number]
export type Request = ResultOf<typeof WatchNetwork>['networkRequests']['entries'][number]
export type StoryEntry = ResultOf<typeof WatchStory>['sessionEvents']['entries'][number]

/** What the timeline shows: everything but the lines and requests that have panels of their own. */
const STORY_KINDS = [
  'STATUS_CHANGE',
  'NAVIGATION',
  'PAGE_OPENED',
  'PAGE_CLOSED',
  'PAGE_CRASHED',
  'WEB_SOCKET_OPENED',
  'WEB_SOCKET_CLOSED',
  'DOWNLOAD',
  'DIALOG',
  'ENTRIES_DROPPED',
  'ACTION',
  'ARTIFACT_CREATED',
  'ARTIFACT_FAILED',
  'CLIENT_ATTACHED',
  'CLIENT_DETACHED',
  'TASK_STEP',
  'TASK_ENDED',
] as const

/** The logs of one session. Each is read from the moment its panel is first shown, and kept for as long as it is open. */
export class SessionLogs {
  readonly console
  readonly network
  readonly story

  constructor(api: Api, session: string) {
    this.console = new LogFeed(api, WatchConsole, { session })
    this.network = new LogFeed(api, WatchNetwork, { session })
    this.story = new LogFeed(api, WatchStory, { session, kinds: [...STORY_KINDS] })
  }

  stop(): void {
    this.console.stop()
    this.network.stop()
    this.story.stop()
  }
}
