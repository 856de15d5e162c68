import { readEnds } from './message-text.ts'
import type { OversizedMessage } from './message-limits.ts'

/** The readable parts of a message that was too large to be read. */
export interface TooLarge {
  /** Id of a response; null: it is an event. */
  id: number | null
  /** Method of an event; null: it is a response. */
  method: string | null
  sessionId: string | null
  bytes: number
  /** Its first few thousand bytes. */
  head: string
}

/** An error message for people. */
export const tooLarge = (what: string, bytes: number): string => `${what} is too large to process (${bytes} bytes).`

/** Whether the error of a command says that its result was skipped for its size. */
export const isTooLargeResult = (error: unknown): boolean =>
  error instanceof Error && error.message.startsWith(`The browser's response is too large to process (`)

export function describeOversized({ head, tail, bytes }: OversizedMessage): TooLarge {
  const text = head.toString('latin1')
  const [, method = null] = /^\{"method":"([\w.]{1,128})"/.exec(text) ?? []
  return { id: readEnds(head).id, method, sessionId: readEnds(tail).sessionId, bytes, head: text }
}

/** The request id is among the first parameters of an event, before anything that a page controls. */
export function requestIdOf({ head }: TooLarge): string | null {
  return /^\{"method":"Network\.\w+","params":\{"requestId":"([^"\\]{1,256})"/.exec(head)?.[1] ?? null
}

/** Whether a `Network.requestWillBeSent` is for a data: URL, as far as the beginning shows it. */
export function isOfDataUrl({ head }: TooLarge): boolean {
  return /"documentURL":"[^"\\]*(?:\\.[^"\\]*)*","request":\{"url":"data:/i.test(head)
}

/** Whether a response contains a script's result or an image; not a body, which recordings ask for. */
export const isResult = (head: string): boolean => /^\{"id":\d+,"result":\{"(?:result|data)"/.test(head)

/** Whether a `Log.entryAdded` repeats a worker's message. */
export function isOfWorker({ head }: TooLarge): boolean {
  return head.startsWith('{"method":"Log.entryAdded","params":{"entry":{"source":"worker"')
}

/**
 * Events that may be skipped: they report activity of pages, and each is counted. Playwright waits for none of them.
 */
export function mayBeSkipped(method: string): boolean {
  return (
    method === 'Runtime.consoleAPICalled' ||
    method === 'Runtime.exceptionThrown' ||
    method.startsWith('Log.') ||
    method.startsWith('Network.')
  )
}
