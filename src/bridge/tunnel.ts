import type { RawData, WebSocket } from 'ws'
import { connectTo, textOf } from './browser-link.ts'

/** What may wait for a side that does not read before the other is not read either. */
const MOST_WAITING_BYTES = 4 * 1024 * 1024
const CLOSE_MS = 1_000
const ATTACH_ID = 1
/** Of the WebSocket protocol: codes that are never sent. */
const UNSENDABLE: ReadonlySet<number> = new Set([1005, 1006, 1015])

/** How a message ends that is of a session; and longer than any such end. */
const OF_A_SESSION = /,"sessionId":"\w+"\}$/
const TAIL = 128

/** The target is not there (any more). */
export class NoSuchTarget extends Error {}

interface Attached {
  id?: number
  method?: string
  result?: { sessionId?: string }
  params?: { sessionId?: string }
}

/** A connection with the browser through the server, and the protocol's session on it that a client has for its own. */
export interface FarEnd {
  socket: WebSocket
  /** Null: the client speaks with the browser as a whole. */
  sessionId: string | null
}

/** Opens a connection; `targetId` null: with the browser. Rejects with NoSuchTarget, or when the server refuses it. */
export async function openFarEnd(cdpUrl: string, userAgent: string, targetId: string | null): Promise<FarEnd> {
  const socket = connectTo(cdpUrl, userAgent)
  const { promise, resolve, reject } = Promise.withResolvers<FarEnd>()
  socket.on('error', reject)
  socket.once('close', () => reject(new Error('the server has closed the connection')))
  socket.once('open', () => {
    if (targetId === null) {
      socket.pause()
      return resolve({ socket, sessionId: null })
    }
    socket.on('message', function listen(data) {
      const { id, result } = JSON.parse(textOf(data)) as Attached
      if (id !== ATTACH_ID) return
      socket.off('message', listen)
      socket.pause()
      const sessionId = result?.sessionId
      if (sessionId === undefined) reject(new NoSuchTarget())
      else resolve({ socket, sessionId })
    })
    const params = { targetId, flatten: true }
    socket.send(JSON.stringify({ id: ATTACH_ID, method: 'Target.attachToTarget', params }))
  })
  try {
    return await promise
  } catch (error) {
    socket.terminate()
    throw error
  }
}

/** Hands messages on, both ways, until either side closes; then the other is closed with the same code. Resolves then. */
export async function tunnel(near: WebSocket, { socket: far, sessionId }: FarEnd): Promise<void> {
  near.on('error', () => {})
  pass(near, far, (text) => (sessionId === null ? text : withSession(text, sessionId)))
  pass(far, near, (text) => {
    if (sessionId === null) return text
    if (hasEnded(text, sessionId)) near.close(1000, 'the target has closed')
    return withoutSession(text, sessionId)
  })
  await Promise.all([closesWith(near, far), closesWith(far, near)])
}

function pass(from: WebSocket, to: WebSocket, changed: (text: string) => string | null): void {
  from.on('message', (data: RawData) => {
    const text = changed(textOf(data))
    if (text === null || to.readyState !== to.OPEN) return
    to.send(text, () => {
      if (from.isPaused && to.bufferedAmount < MOST_WAITING_BYTES) from.resume()
    })
    if (to.bufferedAmount > MOST_WAITING_BYTES) from.pause()
  })
  from.resume()
}

function closesWith(one: WebSocket, other: WebSocket): Promise<void> {
  return new Promise((resolve) => {
    one.once('close', (code, reason) => {
      // One that is not read never hears that the other side agrees.
      other.resume()
      if (UNSENDABLE.has(code)) other.close()
      else other.close(code, reason)
      const timer = setTimeout(() => other.terminate(), CLOSE_MS)
      other.once('close', () => clearTimeout(timer))
      if (other.readyState === other.CLOSED) clearTimeout(timer)
      resolve()
    })
  })
}

/** A client that speaks with one page names no session, but for those below it. What is no message is left to the browser. */
function withSession(text: string, sessionId: string): string {
  let message: unknown
  try {
    message = JSON.parse(text)
  } catch {
    return text
  }
  if (typeof message !== 'object' || message === null || Array.isArray(message)) return text
  return (message as { sessionId?: unknown }).sessionId == null ? JSON.stringify({ ...message, sessionId }) : text
}

/** The session stands last; null: it is no message for the client. */
function withoutSession(text: string, sessionId: string): string | null {
  const ending = `,"sessionId":"${sessionId}"}`
  if (text.endsWith(ending)) return `${text.slice(0, -ending.length)}}`
  // An event of the browser as a whole, of which the client knows nothing.
  return text.startsWith('{"method":') && !OF_A_SESSION.test(text.slice(-TAIL)) ? null : text
}

function hasEnded(text: string, sessionId: string): boolean {
  if (!text.startsWith('{"method":"Target.detachedFromTarget"')) return false
  return (JSON.parse(text) as Attached).params?.sessionId === sessionId
}
