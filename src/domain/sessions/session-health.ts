import type { SessionSnapshot } from '../log/entries/session-snapshot.ts'
import { isEnded } from '../kernel/session-state.ts'

export interface SessionHealth {
  status: 'HEALTHY' | 'UNRESPONSIVE' | 'ENDED'
  browserResponsive: boolean
  /** The browser's response time; null if it did not respond. */
  latencyMs: number | null
  currentUrl: string | null
  uptimeMs: number
}

const HEALTH_TIMEOUT_MS = 1000

/** Queries the browser now with `ping`; responds within 2 s in any case. */
export async function healthOf(
  snapshot: SessionSnapshot,
  ping: (timeoutMs: number) => Promise<number | null>,
): Promise<SessionHealth> {
  const { startedAt, currentUrl } = snapshot
  if (isEnded(snapshot.status)) {
    const uptimeMs = startedAt ? (snapshot.endedAt ?? startedAt) - startedAt : 0
    return { status: 'ENDED', browserResponsive: false, latencyMs: null, currentUrl, uptimeMs }
  }
  const latencyMs = await ping(HEALTH_TIMEOUT_MS)
  const browserResponsive = latencyMs !== null
  // While it is being created there is no browser that could fail to respond.
  const status = browserResponsive || snapshot.status === 'CREATING' ? 'HEALTHY' : 'UNRESPONSIVE'
  return { status, browserResponsive, latencyMs, currentUrl, uptimeMs: startedAt ? Date.now() - startedAt : 0 }
}
