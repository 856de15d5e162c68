import { isFailedRequest } from '../../../contract/entries/network-request.ts'
import type { LogEntry } from '../../../ports/log/log-entry.ts'
import type { SessionRecord } from '../../../ports/sessions/session-record.ts'

/** Number of entries of each kind, as stored in the session's row. */
export type LogCounts = Pick<
  SessionRecord,
  | 'navigationCount'
  | 'consoleMessageCount'
  | 'networkRequestCount'
  | 'actionCount'
  | 'screenshotCount'
  | 'consoleErrorCount'
  | 'failedRequestCount'
>

export function countsOf(record: LogCounts): LogCounts {
  const { navigationCount, consoleMessageCount, networkRequestCount, actionCount, screenshotCount } = record
  const { consoleErrorCount, failedRequestCount } = record
  return {
    navigationCount,
    consoleMessageCount,
    networkRequestCount,
    actionCount,
    screenshotCount,
    consoleErrorCount,
    failedRequestCount,
  }
}

export function countsWith(before: LogCounts, entries: readonly LogEntry[]): LogCounts {
  const counts = { ...before }
  for (const entry of entries) {
    if (entry.kind === 'CONSOLE_MESSAGE') {
      counts.consoleMessageCount += 1
      if (entry.data.level === 'ERROR') counts.consoleErrorCount += 1
    } else if (entry.kind === 'NETWORK_REQUEST') {
      counts.networkRequestCount += 1
      if (isFailedRequest(entry.data)) counts.failedRequestCount += 1
    } else if (entry.kind === 'NAVIGATION') counts.navigationCount += 1
    else if (entry.kind === 'ACTION') counts.actionCount += 1
    else if (entry.kind === 'ARTIFACT_CREATED' && entry.data.kind === 'SCREENSHOT') counts.screenshotCount += 1
  }
  return counts
}
