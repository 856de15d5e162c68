import { z } from 'zod'
import { int, pageId } from './members.ts'

export const CONSOLE_LEVELS = ['DEBUG', 'LOG', 'INFO', 'WARNING', 'ERROR'] as const
export type ConsoleLevel = (typeof CONSOLE_LEVELS)[number]

const CONSOLE_SOURCES = ['CONSOLE', 'EXCEPTION', 'BROWSER', 'WORKER'] as const
export type ConsoleSource = (typeof CONSOLE_SOURCES)[number]

/** Methods of console that write a message. */
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

/** A logged or thrown value, as far as it is known. Documented in docs/log.md. */
export interface ConsoleValue {
  /** Name of a member. */
  name?: string
  /** As in `typeof`, or "accessor" for a getter, which is never run. */
  type: string
  /** Subtype of an object: "array", "error", "map", "node", "null" … */
  subtype?: string
  className?: string
  /** A value that JSON can represent. */
  value?: string | number | boolean | null
  /** Text of a value that JSON cannot represent, and of objects: "12n", "Map(3)", an error with its stack. */
  description?: string
  /** Number of elements, entries, or UTF-16 code units of a text that was cut. */
  length?: number
  properties?: ConsoleValue[]
  entries?: { key?: ConsoleValue; value: ConsoleValue }[]
  /** Some members were omitted. */
  truncated?: true
  /** Read after the message was written. */
  later?: true
}

/** Values were checked when they were created: checking each again would take longer than parsing it. */
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
  /** Null: not a call of a console method. */
  method: z.enum(CONSOLE_METHODS).nullable(),
  groupDepth: int,
  /** TEXT: there is one argument, which is the text. Null: not captured, or a message of the browser. */
  arguments: consoleArguments,
  /** Number of argument values that were omitted or cut. */
  argumentsOmitted: int,
  /** Number of the exception within its session; null for other messages. */
  exceptionId: int.nullable(),
})

/** A rejection that was recorded as an uncaught exception got a handler. */
export const exceptionHandled = z.object({ exceptionId: int.nullable(), message: z.string(), pageId })
