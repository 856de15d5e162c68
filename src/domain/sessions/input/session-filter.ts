import { z } from 'zod'
import {
  defineInput,
  field,
  orNull,
  ruled,
  wellFormed,
  type EnumDefinition,
} from '../../../contract/input/input-field.ts'
import type { SessionStatus } from '../../../ports/log/log-entry.ts'
import type { SessionFilter } from '../../../ports/store/store.ts'
import { BadUserInput } from '../../kernel/errors.ts'
import { inputIssues } from '../../kernel/input-issues.ts'
import { SESSION_RULES } from './session-rules.ts'

/** A filter of sessions, as received from a client. */
export interface SessionFilterInput {
  status?: readonly SessionStatus[] | null
  createdAfter?: Date | null
  createdBefore?: Date | null
  name?: string | null
  metadata?: unknown
}

/** No session was created outside this range, and PostgreSQL has no year 0. */
const EARLIEST_TIME_MS = 0
const LATEST_TIME_MS = Date.UTC(9999, 11, 31, 23, 59, 59, 999)

const time = ruled(z.date(), (value) =>
  value.getTime() >= EARLIEST_TIME_MS && value.getTime() <= LATEST_TIME_MS
    ? null
    : { code: 'OUT_OF_RANGE', message: 'must be in the years 1970 to 9999' },
).transform((value) => value.getTime())

export const SESSION_STATUS: EnumDefinition<SessionStatus> = {
  enumName: 'SessionStatus',
  description: 'Status of a session. CLOSED, TIMED_OUT and FAILED are final.',
  values: {
    CREATING: 'Waiting for a slot, or its browser is starting.',
    RUNNING: 'Its browser runs.',
    CLOSED: 'Ended as someone wanted; see endReason.',
    TIMED_OUT: 'Ended by one of its limits; see endReason.',
    FAILED: 'Ended by something that went wrong; see endReason and error.',
  },
}

const STATUSES = Object.keys(SESSION_STATUS.values) as SessionStatus[]

export const SESSION_FILTER = defineInput(
  'SessionFilter',
  'Filter of sessions. Filters are combined with AND; null or omitted ones are ignored.',
  {
    status: field.of(SESSION_STATUS, orNull(z.array(z.enum(STATUSES))), 'Of one of these statuses.', { list: true }),
    createdAfter: field.of('DateTime', orNull(time), 'Created at this time or later.'),
    createdBefore: field.of('DateTime', orNull(time), 'Created before this time.'),
    name: field.of('String', orNull(ruled(z.string(), wellFormed)), 'Of exactly this name.'),
    metadata: field.of(
      'JSON',
      orNull(SESSION_RULES.metadata),
      'A JSON object: sessions whose metadata has all of its members with these values, at any depth.',
    ),
  },
)

/** Checks a filter of sessions. Throws BadUserInput with every broken rule. */
export function parseSessionFilter(
  input: SessionFilterInput | null | undefined,
  path: (string | number)[],
): SessionFilter {
  const parsed = SESSION_FILTER.rule.safeParse(input ?? {})
  if (parsed.success) return parsed.data
  throw new BadUserInput(inputIssues(parsed.error, path))
}
