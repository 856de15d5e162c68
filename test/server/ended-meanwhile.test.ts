import { once } from 'node:events'
import { afterEach, expect, test } from 'vitest'
import WebSocket from 'ws'
import { SessionNotRunning } from '../../src/domain/kernel/session-state.ts'
import type { SessionHandle } from '../../src/domain/sessions/session-handle.ts'
import { cdpSubject } from '../../src/domain/links/signed-links.ts'
import { SESSION_ID, SESSION_UUID, startFakeServer, type FakeServer } from './fake-server.ts'

/** A handle of a session that has ended after it was found: it refuses everything. */
const refuse = () => Promise.reject(new SessionNotRunning())
const REFUSING = {
  sessionId: SESSION_UUID,
  owner: 'me',
  attachClient: refuse,
  watch: refuse,
} as Partial<SessionHandle> as SessionHandle

let server: FakeServer

afterEach(() => server.close())

test('a client of the protocol is told that the session has ended, and not to try again', async () => {
  server = await startFakeServer({ sessions: { findRunning: async () => REFUSING } })
  const terms = { expiresAt: (Math.floor(Date.now() / 1000) + 600) * 1000, maker: 'reader' }
  const { expires, signature, maker } = server.links.sign('cdp', cdpSubject(SESSION_UUID), terms)
  const query = `expires=${expires}&signature=${signature}&maker=${maker}`
  const socket = new WebSocket(`${server.url.replace('http', 'ws')}/cdp/${SESSION_ID}?${query}`)
  const [code, reason] = (await once(socket, 'close')) as [number, Buffer]
  expect([code, reason.toString()]).toEqual([4001, 'the session has ended'])
})

test('a live view of it is refused as that of a session that was found ended', async () => {
  server = await startFakeServer({ sessions: { requireHandle: async () => REFUSING } })
  const response = await fetch(`${server.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': 'reader', accept: 'text/event-stream' },
    body: JSON.stringify({ query: `subscription { screencast(sessionId: "${SESSION_ID}") { skipped } }` }),
  })
  expect(await response.text()).toMatch(/"code":"SESSION_NOT_RUNNING"/)
})
