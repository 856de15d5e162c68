import { z } from 'zod'
import { int, pageId } from './members.ts'

export const webSocketOpened = z.object({ webSocketId: int, url: z.string(), pageId })

export const webSocketClosed = z.object({
  webSocketId: int,
  url: z.string(),
  pageId,
  framesSent: int,
  framesReceived: int,
  /** The browser's error message when the socket failed; null after an ordinary close. */
  error: z.string().nullable(),
})
