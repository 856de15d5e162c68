import { expect, vi } from 'vitest'
import type { TestApp } from './start-app.ts'
import { WAIT_LIMITS } from './time-limits.ts'

export interface SessionData {
  id: string
  name: string | null
  metadata: Record<string, unknown>
  status: string
  endReason: string | null
  error: string | null
  viewport: { width: number; height: number }
  keepAlive: boolean
  idleTimeoutSeconds: number
  createdAt: string
  startedAt: string | null
  lastActivityAt: string
  expiresAt: string | null
  endedAt: string | null
  durationMs: number
  machineId: string | null
  currentUrl: string | null
  title: string | null
  navigationCount: number
  consoleMessageCount: number
  networkRequestCount: number
  pendingRequestCount: number
  pages: { id: string; url: string; title: string }[]
}

/** All session fields that the tests below select. */
export const SESSION = `
  id name metadata status endReason error viewport { width height } keepAlive idleTimeoutSeconds createdAt startedAt
  lastActivityAt expiresAt endedAt durationMs machineId currentUrl title navigationCount consoleMessageCount
  networkRequestCount pendingRequestCount pages { id url title }`

/** Starts, reads and ends sessions of an app that exists only once its tests run. */
export const sessionApi = (tabwire: () => TestApp) => ({
  async start(input: Record<string, unknown> = {}, waitUntil = 'RUNNING'): Promise<SessionData> {
    const query = `mutation ($input: StartSessionInput, $waitUntil: StartWait) {
    startSession(input: $input, waitUntil: $waitUntil) { ${SESSION} } }`
    const { startSession: started } = await tabwire().query<{ startSession: SessionData }>(query, { input, waitUntil })
    if (waitUntil === 'CREATING' || started.status !== 'CREATING') return started
    // The server waits for 30 s. Also in hooks, where there is no `expect.poll`.
    await vi.waitFor(async () => expect((await get(tabwire(), started.id))?.status).not.toBe('CREATING'), WAIT_LIMITS)
    return (await get(tabwire(), started.id))!
  },

  get: (id: string) => get(tabwire(), id),

  /** Waits until no request is pending and the log has all that was recorded by then: a page hears of it earlier. */
  async recorded(id: string): Promise<void> {
    await vi.waitFor(async () => expect((await get(tabwire(), id))?.pendingRequestCount).toBe(0), WAIT_LIMITS)
    // A change of the session is committed after all earlier entries.
    await tabwire().query('mutation ($id: ID!) { updateSession(id: $id, input: {}) { id } }', { id })
  },

  /** Limits a session only once its test is under way, so that slow machines pass. */
  async limit(id: string, input: { idleTimeoutSeconds: number } | { maxDurationSeconds: number }): Promise<void> {
    const query = 'mutation ($id: ID!, $input: UpdateSessionInput!) { updateSession(id: $id, input: $input) { id } }'
    await tabwire().query(query, { id, input })
  },

  async terminate(id: string): Promise<SessionData> {
    const query = `mutation ($id: ID!) { terminateSession(id: $id) { ${SESSION} } }`
    return (await tabwire().query<{ terminateSession: SessionData }>(query, { id })).terminateSession
  },
})

async function get(tabwire: TestApp, id: string): Promise<SessionData | null> {
  const query = `query ($id: ID!) { session(id: $id) { ${SESSION} } }`
  return (await tabwire.query<{ session: SessionData | null }>(query, { id })).session
}
