import type { InferSelectModel } from 'drizzle-orm'
import type { SessionHolder, SessionPatch, SessionRecord } from '../../../ports/sessions/session-record.ts'
import type { sessions } from './tables.ts'

type SessionRow = InferSelectModel<typeof sessions>

export function recordOfRow({
  viewportWidth,
  viewportHeight,
  inputTokens,
  outputTokens,
  usd,
  bodiesForgotten: _,
  ...row
}: SessionRow): SessionRecord {
  const viewport = { width: viewportWidth, height: viewportHeight }
  return { ...row, viewport, cost: { inputTokens, outputTokens, usd } }
}

/** A patch in SQL: assignments whose parameters are numbered from `firstParameter` on. */
export interface PatchAssignments {
  assignments: string[]
  values: unknown[]
}

type ColumnValues = {
  [Member in keyof Required<SessionPatch>]: (value: NonNullable<SessionPatch[Member]>) => [string, unknown][]
}

const instant = (milliseconds: number) => new Date(milliseconds).toISOString()

const COLUMNS: ColumnValues = {
  name: (name) => [['name', name]],
  metadata: (metadata) => [['metadata', JSON.stringify(metadata)]],
  status: (status) => [['status', status]],
  endReason: (reason) => [['end_reason', reason]],
  error: (error) => [['error', error]],
  viewport: ({ width, height }) => [
    ['viewport_width', width],
    ['viewport_height', height],
  ],
  offline: (offline) => [['offline', offline]],
  keepAlive: (keepAlive) => [['keep_alive', keepAlive]],
  idleTimeoutSeconds: (seconds) => [['idle_timeout_seconds', seconds]],
  maxDurationSeconds: (seconds) => [['max_duration_seconds', seconds]],
  startedAt: (time) => [['started_at', instant(time)]],
  lastActivityAt: (time) => [['last_activity_at', instant(time)]],
  endedAt: (time) => [['ended_at', instant(time)]],
  currentUrl: (url) => [['current_url', url]],
  title: (title) => [['title', title]],
  lastNavigationError: (error) => [['last_navigation_error', JSON.stringify(error)]],
  cost: ({ inputTokens, outputTokens, usd }) => [
    ['input_tokens', inputTokens],
    ['output_tokens', outputTokens],
    ['usd', usd],
  ],
}

const NULLABLE: ReadonlySet<string> = new Set<keyof SessionPatch>([
  'name',
  'endReason',
  'error',
  'startedAt',
  'endedAt',
  'currentUrl',
  'title',
  'lastNavigationError',
])

/** In a fixed order, so that patches of the same members share one prepared statement. */
export function assignmentsOfPatch(patch: SessionPatch, firstParameter: number): PatchAssignments {
  const assignments: string[] = []
  const values: unknown[] = []
  const assign = (column: string, value: unknown) => {
    assignments.push(`${column} = $${firstParameter + values.length}`)
    values.push(value)
  }
  for (const member of Object.keys(COLUMNS) as (keyof SessionPatch)[]) {
    const value = patch[member]
    if (value === undefined) continue
    if (value === null) {
      if (!NULLABLE.has(member)) throw new Error(`a session's ${member} cannot be null`)
      assign(columnOf(member), null)
    } else {
      const columns = COLUMNS[member] as (value: unknown) => [string, unknown][]
      for (const [column, written] of columns(value)) assign(column, written)
    }
  }
  return { assignments, values }
}

const columnOf = (member: string) => member.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

/** A further condition on the row of a session, whose parameters are numbered from `firstParameter` on. */
export function isHeldBy(
  holder: SessionHolder | undefined,
  firstParameter: number,
): { condition: string; values: unknown[] } {
  if (!holder) return { condition: '', values: [] }
  const [id, epoch] = [`$${firstParameter}::text`, `$${firstParameter + 1}::bigint`]
  const condition = ` and machine_id = ${id} and machine_epoch is not distinct from ${epoch}`
  return { condition, values: [holder.machineId, holder.machineEpoch] }
}
