import { z } from 'zod'
import { headers, int, pageId, safeInt, time } from './members.ts'

/** HTTP status of the handshake response; null: none, or unknown. */
const status = int.nullable()

/** Messages that were counted instead of stored. */
const omitted = { omittedSent: int, omittedReceived: int }

export const webSocketOpened = z.object({
  webSocketId: int,
  url: z.string(),
  pageId,
  status,
  /** From the handshake; empty: not sent. */
  requestHeaders: headers,
  responseHeaders: headers.nullable(),
})

const DIRECTIONS = ['SENT', 'RECEIVED'] as const
export type WebSocketDirection = (typeof DIRECTIONS)[number]

const OPCODES = ['TEXT', 'BINARY', 'OTHER'] as const
export type WebSocketOpcode = (typeof OPCODES)[number]

const message = z.object({
  at: time,
  direction: z.enum(DIRECTIONS),
  opcode: z.enum(OPCODES),
  sizeBytes: safeInt,
  /** Null for binary messages. */
  text: z.string().nullable(),
  /** Null for text messages. */
  base64: z.string().nullable(),
  /** Whether text or base64 was cut. */
  truncated: z.boolean(),
})
export type WebSocketMessage = z.output<typeof message>

export const webSocketMessages = z.object({
  webSocketId: int,
  url: z.string(),
  pageId,
  messages: z.array(message),
  ...omitted,
})

const CLOSERS = ['PAGE', 'SERVER', 'DOCUMENT', 'FAILURE', 'SESSION'] as const
/** The side that closed a WebSocket. */
export type WebSocketCloser = (typeof CLOSERS)[number]

export const webSocketClosed = z.object({
  webSocketId: int,
  url: z.string(),
  pageId,
  framesSent: int,
  framesReceived: int,
  /** The browser's error message when the socket failed; null after an ordinary close. */
  error: z.string().nullable(),
  status,
  closeCode: int.nullable(),
  closeReason: z.string().nullable(),
  closedBy: z.enum(CLOSERS).nullable(),
  ...omitted,
})
