import { z } from 'zod'
import { int, pageId } from './members.ts'

export const CONSOLE_LEVELS = ['DEBUG', 'LOG', 'INFO', 'WARNING', 'ERROR'] as const
export type ConsoleLevel = (typeof CONSOLE_LEVELS)[number]

const CONSOLE_SOURCES = ['CONSOLE', 'EXCEPTION', 'BROWSER', 'WORKER'] as const
export type ConsoleSource = (typeof CONSOLE_SOURCES)[number]

export const consoleMessage = z.object({
  level: z.enum(CONSOLE_LEVELS),
  source: z.enum(CONSOLE_SOURCES),
  text: z.string(),
  url: z.string().nullable(),
  /** 1-based, as editors and browsers show them. */
  line: int.nullable(),
  column: int.nullable(),
  stack: z.string().nullable(),
  pageId,
  /** UTF-16 code units cut from text. */
  truncated: int,
})
