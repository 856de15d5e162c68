import type { RawData, WebSocket } from 'ws'
import { connectTo, textOf } from './browser-link.ts'

/** Bytes buffered for a side that does not read before the other side is paused. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024
const CLOSE_MS = 1_000
const ATTACH_ID = 1
/** WebSocket close codes that must not be sent. */
const UNSENDABLE: ReadonlySet<number> = new Set([1005, 1006, 1015])

/** The end of a message that belongs to a session; and a length that exceeds any such end. */
const OF_A_SESSION = /,"sessionId":"\w+"\}$/
const TAIL = 128

/** The target does not exist (any more). */
export class NoSuchTarget extends Error {}

interface Attached {
  id?: number
  method?: string
  result?: { sessionId?: string }
  params?: { sessionId?: string }
}

/** A connection to the browser through the server, and the client's own CDP session on it. */
export interface FarEnd {
  socket: WebSocket
  /** Null: the client is connected to the browser target. */
  sessionId: string | null
}

/**
 * Opens a connection; `targetId` null: to the browser target. Rejects with NoSuchTarget, or if the server refuses it.
 */
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

/** Forwards messages both ways until either side closes; then closes the other with the same code and resolves. */
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
      if (from.isPaused && to.bufferedAmount < MAX_WAITING_BYTES) from.resume()
    })
    if (to.bufferedAmount > MAX_WAITING_BYTES) from.pause()
  })
  from.resume()
}

function closesWith(one: WebSocket, other: WebSocket): Promise<void> {
  return new Promise((resolve) => {
    one.once('close', (code, reason) => {
      // A paused socket never receives the other side's close frame.
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

/**
 * A client connected to one page sends no session id, except for sessions below it. Invalid messages are left to the
 * browser.
 */
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

/** The session id is the last member; null: the message is not for the client. */
function withoutSession(text: string, sessionId: string): string | null {
  const ending = `,"sessionId":"${sessionId}"}`
  if (text.endsWith(ending)) return `${text.slice(0, -ending.length)}}`
  // An event of the browser target, which is unknown to the client.
  return text.startsWith('{"method":') && !OF_A_SESSION.test(text.slice(-TAIL)) ? null : text
}

function hasEnded(text: string, sessionId: string): boolean {
  if (!text.startsWith('{"method":"Target.detachedFromTarget"')) return false
  return (JSON.parse(text) as Attached).params?.sessionId === sessionId
}
