import { withoutBodies } from './body.ts'
import type { SessionEventKind } from './kinds.ts'
import { isObject } from './members.ts'
import { outcomeOfFailure } from './network-request.ts'

/**
 * Upgrades data from one version to the next. The input has not been checked: invalid members are left as they are, for
 * the check to find.
 */
type Upgrade = (data: Record<string, unknown>) => Record<string, unknown>

/** From version 1 to 2, from 2 to 3 …; kinds without a step are the same in both. */
const UPGRADES: readonly Partial<Record<SessionEventKind, Upgrade>>[] = [
  {
    // Before downloads were saved as artifacts, entries did not mention one.
    DOWNLOAD: (data) => ({ artifactId: null, keepFailure: null, ...data }),
    NETWORK_REQUEST: ({ timing, ...data }) => ({
      remoteAddress: null,
      ...data,
      timing: isObject(timing) ? { queuedMs: null, ...timing } : timing,
    }),
  },
  {
    NETWORK_REQUEST: (data) => ({
      ...withoutBodies('NOT_RECORDED', 'NOT_RECORDED'),
      statusText: null,
      outcome: typeof data.failure === 'string' ? outcomeOfFailure(data.failure) : 'COMPLETED',
      servedBy: null,
      mimeType: null,
      protocol: null,
      priority: null,
      isNavigation: data.resourceType === 'DOCUMENT',
      frame: null,
      initiator: null,
      cookiesSent: null,
      cookiesSet: null,
      cookiesOmitted: 0,
      ...data,
    }),
    // Before messages were recorded, frames were only counted.
    WEB_SOCKET_OPENED: (data) => ({ status: null, requestHeaders: {}, responseHeaders: null, ...data }),
    WEB_SOCKET_CLOSED: (data) => ({
      status: null,
      closeCode: null,
      closeReason: null,
      closedBy: null,
      omittedSent: data['framesSent'],
      omittedReceived: data['framesReceived'],
      ...data,
    }),
    CONSOLE_MESSAGE: (data) => ({
      method: null,
      groupDepth: 0,
      arguments: null,
      argumentsOmitted: 0,
      exceptionId: null,
      ...data,
    }),
    PAGE_CRASHED: (data) => ({ crashReason: null, crashCode: null, ...data }),
  },
]

/** The current version. Entries without a version have version 1. */
export const ENTRY_VERSION = UPGRADES.length + 1

/** The data in the newest version. */
export function upgraded(kind: SessionEventKind, version: number, data: Record<string, unknown>) {
  let newer = data
  for (let from = version; from < ENTRY_VERSION; from += 1) newer = UPGRADES[from - 1]![kind]?.(newer) ?? newer
  return newer
}
