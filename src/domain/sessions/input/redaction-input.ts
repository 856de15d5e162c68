import { z } from 'zod'
import {
  defineInput,
  field,
  lengthWithin,
  orDefault,
  ruled,
  wellFormed,
  type Check,
  type FieldValues,
} from '../../../contract/input/input-field.ts'
import { isRe2 } from '../../../contract/input/re2.ts'
import { REDACTION_LIMITS, type RedactionRules } from '../../../ports/sessions/redaction.ts'

const isPattern: Check<string> = (value) =>
  // Already rejected for its length, and a long one takes time to parse.
  value.length > REDACTION_LIMITS.patternLength || isRe2(value)
    ? null
    : { code: 'INVALID_FORMAT', message: 'must be a regular expression in the syntax of RE2' }

const listOf = (most: number, longest: number, ...checks: Check<string>[]) =>
  orDefault(
    ruled(z.array(z.unknown()), (value) =>
      value.length > most
        ? { code: 'TOO_LONG', message: `must have at most ${most} items; it has ${value.length}` }
        : null,
    ).pipe(z.array(ruled(z.string(), lengthWithin(1, longest), wellFormed, ...checks))),
    [],
  )

const names = (description: string) =>
  field.of(
    'String',
    listOf(REDACTION_LIMITS.names, REDACTION_LIMITS.nameLength),
    `${description} Case-insensitive. At most ${REDACTION_LIMITS.names}, of 1 to ${REDACTION_LIMITS.nameLength} characters each.`,
    { list: true },
  )

export const REDACTION_INPUT = defineInput(
  'RedactionInput',
  'Rules for masking secrets as [redacted] in the log of a session before it is stored, in addition to those of the server (TABWIRE_REDACT), to text typed into password fields (six characters or more), and to credentials in URLs.',
  {
    headers: names('Names of request and response headers.'),
    jsonKeys: names('Keys whose values are masked in JSON bodies, at any depth.'),
    urlParameters: names('Names of parameters in URLs, and of fields in form bodies.'),
    patterns: field.of(
      'String',
      listOf(REDACTION_LIMITS.patterns, REDACTION_LIMITS.patternLength, isPattern),
      `Regular expressions in RE2 syntax, without lookaround and backreferences. Matches are masked in URLs, header values, text bodies and console messages. A match in a body longer than 8192 characters may be missed. At most ${REDACTION_LIMITS.patterns}, of 1 to ${REDACTION_LIMITS.patternLength} characters each.`,
      { list: true },
    ),
  },
)

/** As received, not validated yet. */
export type RedactionInput = { [Member in keyof RedactionRules]?: readonly string[] | null }

/** What is masked: the session's options in addition to the server's. */
export function redactionOf(
  given: FieldValues<typeof REDACTION_INPUT.fields> | null,
  server: RedactionRules,
): RedactionRules {
  const both = (member: keyof RedactionRules) => [...new Set([...server[member], ...(given?.[member] ?? [])])]
  return {
    headers: both('headers'),
    jsonKeys: both('jsonKeys'),
    urlParameters: both('urlParameters'),
    patterns: both('patterns'),
  }
}
