import { z } from 'zod'
import { int, pageId } from './members.ts'

export const CONSOLE_LEVELS = ['DEBUG', 'LOG', 'INFO', 'WARNING', 'ERROR'] as const
export type ConsoleLevel = (typeof CONSOLE_LEVELS)[number]

const CONSOLE_SOURCES = ['CONSOLE', 'EXCEPTION', 'BROWSER', 'WORKER'] as const
export type ConsoleSource = (typeof CONSOLE_SOURCES)[number]

/** Methods of console that write a line. */
const CONSOLE_METHODS = [
  'ASSERT',
  'COUNT',
  'DEBUG',
  'DIR',
  'DIRXML',
  'ERROR',
  'GROUP',
  'GROUP_COLLAPSED',
  'INFO',
  'LOG',
  'PROFILE',
  'PROFILE_END',
  'TABLE',
  'TIME_END',
  'TRACE',
  'WARN',
] as const
export type ConsoleMethod = (typeof CONSOLE_METHODS)[number]

/** A value that was logged or thrown, as far as it is known. Documented in docs/log.md. */
export interface ConsoleValue {
  /** Of a member: its name. */
  name?: string
  /** As `typeof` has it, or "accessor" for a getter, which is never run. */
  type: string
  /** What kind of object: "array", "error", "map", "node", "null" … */
  subtype?: string
  className?: string
  /** Of what JSON can hold. */
  value?: string | number | boolean | null
  /** Text of what JSON can't hold, and of objects: "12n", "Map(3)", an error with its stack. */
  description?: string
  /** Number of elements, of entries, or of UTF-16 code units of a text that was cut. */
  length?: number
  properties?: ConsoleValue[]
  entries?: { key?: ConsoleValue; value: ConsoleValue }[]
  /** There is more than this. */
  truncated?: true
  /** Read after the line was written. */
  later?: true
}

/** Of what was checked when it was made: to check each value again would take longer than to parse it. */
const consoleArguments = z.custom<'TEXT' | ConsoleValue[] | null>(
  (value) => value === null || value === 'TEXT' || Array.isArray(value),
)

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
  /** Null: no call of a method of console. */
  method: z.enum(CONSOLE_METHODS).nullable(),
  groupDepth: int,
  /** TEXT: there is one, which is the text. Null: not captured, or a message of the browser. */
  arguments: consoleArguments,
  /** Values of the arguments that were left out or cut. */
  argumentsOmitted: int,
  /** Number of the exception within its session; null for all other lines. */
  exceptionId: int.nullable(),
})

/** A rejected promise that was recorded as an uncaught exception got a handler. */
export const exceptionHandled = z.object({ exceptionId: int.nullable(), message: z.string(), pageId })
