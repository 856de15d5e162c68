import { readEnds } from './message-text.ts'
import type { OversizedMessage } from './message-limits.ts'

/** What can still be told of a message that was too large to be read. */
export interface TooLarge {
  /** Of an answer; null: it is an event. */
  id: number | null
  /** Of an event; null: it is an answer. */
  method: string | null
  sessionId: string | null
  bytes: number
  /** Its first few thousand bytes. */
  head: string
}

/** What happened, for people. */
export const tooLarge = (what: string, bytes: number): string => `${what} is too large to process (${bytes} bytes).`

/** Whether the error of a command says that its result was left out for its size. */
export const isTooLargeResult = (error: unknown): boolean =>
  error instanceof Error && error.message.startsWith(`The browser's response is too large to process (`)

export function describeOversized({ head, tail, bytes }: OversizedMessage): TooLarge {
  const text = head.toString('latin1')
  const [, method = null] = /^\{"method":"([\w.]{1,128})"/.exec(text) ?? []
  return { id: readEnds(head).id, method, sessionId: readEnds(tail).sessionId, bytes, head: text }
}

/** Members of an event's parameters that come first, before anything that a page makes. */
export function requestIdOf({ head }: TooLarge): string | null {
  return /^\{"method":"Network\.\w+","params":\{"requestId":"([^"\\]{1,256})"/.exec(head)?.[1] ?? null
}

/** Whether a `Network.requestWillBeSent` tells of a data: URL, as far as it can be seen. */
export function isOfDataUrl({ head }: TooLarge): boolean {
  return /"documentURL":"[^"\\]*(?:\\.[^"\\]*)*","request":\{"url":"data:/i.test(head)
}

/** Whether an answer brings what a script returned, or a picture; not a body, which recordings ask for. */
export const isResult = (head: string): boolean => /^\{"id":\d+,"result":\{"(?:result|data)"/.test(head)

/** Whether a `Log.entryAdded` repeats what a worker said. */
export function isOfWorker({ head }: TooLarge): boolean {
  return head.startsWith('{"method":"Log.entryAdded","params":{"entry":{"source":"worker"')
}

/**
 * Events that may be left out: they tell of what pages did, and each is counted. Playwright waits for none of them.
 */
export function mayBeSkipped(method: string): boolean {
  return (
    method === 'Runtime.consoleAPICalled' ||
    method === 'Runtime.exceptionThrown' ||
    method.startsWith('Log.') ||
    method.startsWith('Network.')
  )
}
