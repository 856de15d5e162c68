import type pg from 'pg'
import { ENTRY_VERSION } from '../../../contract/entries/upgrades.ts'
import type { LogEntry } from '../../../ports/log/log-entry.ts'
import type { AppendOutcome } from '../../../ports/store/store.ts'
import type { SessionHolder, SessionPatch } from '../../../ports/sessions/session-record.ts'
import { asAppendError, asStoreError } from '../base/database-errors.ts'
import { arraysOfEntries } from './entry-arrays.ts'
import { countEntriesByCounter } from './entry-rows.ts'
import { statementName } from '../base/prepared-statements.ts'
import { assignmentsOfPatch, isHeldBy } from '../base/session-rows.ts'

/** Inserts the entries of the five arrays that begin at parameter `first`, numbered after `base`. */
export const insertEntries = (sessionId: string, base: string, first: number) => `
  insert into log_entries (session_id, sequence, at, kind, request_id, data, content, bytes, version)
  select ${sessionId}, ${base} + entry.position::int, to_timestamp(entry.at / 1000), entry.kind, entry.request_id, entry.data::jsonb,
    entry.content::json, octet_length(coalesce(entry.content, entry.data)), ${ENTRY_VERSION}
  from moved, unnest($${first}::float8[], $${first + 1}::smallint[], $${first + 2}::int[], $${first + 3}::text[],
    $${first + 4}::text[]) with ordinality as entry (at, kind, request_id, data, content, position)`

const FIRST_PATCH_PARAMETER = 16

/**
 * One statement, so one round trip and one commit: the session's row advances from the expected sequence, and entries
 * are inserted only if it did. A session that has ended does not advance.
 */
const appendText = (assignments: readonly string[], condition: string) => `
with moved as (
  update sessions set ${[
    'last_sequence = last_sequence + $3::int',
    'navigation_count = navigation_count + $4::int',
    'console_message_count = console_message_count + $5::int',
    'network_request_count = network_request_count + $6::int',
    'action_count = action_count + $7::int',
    'screenshot_count = screenshot_count + $8::int',
    'console_error_count = console_error_count + $9::int',
    'failed_request_count = failed_request_count + $10::int',
    ...assignments,
  ].join(', ')}
  where id = $1 and last_sequence = $2::int and status in ('CREATING', 'RUNNING')${condition}
  returning 1
), added as (
  ${insertEntries('$1', '$2::int', 11)}
)
select 1 from moved`

/** How many of these exact entries are in the log, compared as JSON, not as text. */
const COUNT_EQUAL = `
select (select last_sequence from sessions where id = $1) as last, (
  select count(*)::int
  from unnest($3::float8[], $4::smallint[], $5::int[], $6::text[], $7::text[])
    with ordinality as entry (at, kind, request_id, data, content, position)
  join log_entries as kept on kept.session_id = $1 and kept.sequence = $2::int + entry.position
  where kept.kind = entry.kind and kept.at = to_timestamp(entry.at / 1000)::timestamptz(3) and kept.data = entry.data::jsonb
    and kept.content::jsonb is not distinct from entry.content::jsonb
) as equal`

/** See Store.append. */
export async function append(
  pool: pg.Pool,
  sessionId: string,
  expectedLast: number,
  entries: readonly LogEntry[],
  patch: SessionPatch = {},
  holder?: SessionHolder,
): Promise<AppendOutcome> {
  entries.forEach((entry, index) => {
    if (entry.sequence !== expectedLast + 1 + index) {
      throw new Error(`entry ${entry.sequence} stands where ${expectedLast + 1 + index} was expected`)
    }
  })
  const { assignments, values } = assignmentsOfPatch(patch, FIRST_PATCH_PARAMETER)
  const held = isHeldBy(holder, FIRST_PATCH_PARAMETER + values.length)
  const text = appendText(assignments, held.condition)
  const counts = countEntriesByCounter(entries)
  const arrays = arraysOfEntries(entries)
  const result = await pool
    .query({
      name: statementName(text),
      text,
      values: [
        sessionId,
        expectedLast,
        entries.length,
        counts.navigation,
        counts.console,
        counts.network,
        counts.action,
        counts.screenshot,
        counts.consoleError,
        counts.failedRequest,
        ...arrays,
        ...values,
        ...held.values,
      ],
    })
    .catch((error: unknown) => {
      throw asAppendError(error)
    })
  if (result.rowCount === 1) return { kind: 'committed' }

  // Either another writer was faster, or this batch was committed earlier and the response was lost. The stored entries
  // decide: another writer's batch may have ended at the same sequence, but not with the same entries.
  const found = await pool
    .query<{ last: number | null; equal: number }>(COUNT_EQUAL, [sessionId, expectedLast, ...arrays])
    .catch((error: unknown) => {
      throw asStoreError(error)
    })
  const { last, equal } = found.rows[0]!
  const committedBefore = entries.length > 0 && last === expectedLast + entries.length && equal === entries.length
  return committedBefore ? { kind: 'committed' } : { kind: 'conflict', lastSequence: last }
}
