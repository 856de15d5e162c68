import { expect } from 'vitest'
import type { TestApp } from './start-app.ts'
import { readEntireLog } from './entire-log.ts'

export interface LoggedEntry {
  __typename: string
  [member: string]: unknown
}

/** Signed links to sessions of an app that exists only once its tests run, and log entries about clients. */
export const connectApi = (tabwire: () => TestApp) => {
  const logOf = (id: string): Promise<LoggedEntry[]> =>
    readEntireLog(
      tabwire(),
      id,
      `__typename sequence
      ... on Action { type origin success error { code } details actedOn: pageId }
      ... on ClientAttached { clientId name }
      ... on ClientDetached { clientId name detachReason commandCount }
      ... on ConsoleMessage { text }
      ... on Navigation { url }
      ... on StatusChange { to }
      ... on Dialog { message accepted }
      ... on Download { suggestedFilename artifact { sizeBytes } }`,
    )
  return {
    logOf,

    async cdpUrlOf(id: string, ttlSeconds = 3_600): Promise<string> {
      const query = `query ($id: ID!, $ttlSeconds: Int!) {
        session(id: $id) { access(ttlSeconds: $ttlSeconds) { cdpUrl } } }`
      const { session } = await tabwire().query<{ session: { access: { cdpUrl: string } } }>(query, { id, ttlSeconds })
      return session.access.cdpUrl
    },

    /** Waits until the log has the wanted entries. */
    async untilLogged(id: string, isThere: (log: LoggedEntry[]) => boolean): Promise<LoggedEntry[]> {
      let log: LoggedEntry[] = []
      await expect
        .poll(async () => isThere((log = await logOf(id))), { message: 'the log has what is wanted' })
        .toBe(true)
      return log
    },
  }
}

export const ofKind = (log: readonly LoggedEntry[], kind: string) => log.filter(({ __typename }) => __typename === kind)
