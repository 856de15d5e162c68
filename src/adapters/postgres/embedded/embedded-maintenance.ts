import type pg from 'pg'
import type { Logger } from '../../../logger.ts'

const ROUND_MS = 5_000

/** Write-ahead log between two checkpoints: limits its disk space and the recovery time after a crash. */
const CHECKPOINT_AFTER_BYTES = 48 * 1024 * 1024

/** Rows added since the last VACUUM. Frequent, so that each is short: it visits only changed pages. */
const VACUUM_AFTER_ADDED = 25_000
/** Rows deleted or replaced since then. Each such VACUUM reads whole indexes, so it is rarer for larger tables. */
const VACUUM_AFTER_DEAD = 10_000
const VACUUM_DEAD_SHARE = 0.1

const ANALYZE_AFTER_CHANGED = 5_000
const ANALYZE_CHANGED_SHARE = 0.2

interface TableState {
  name: string
  rows: number
  added: number
  dead: number
  changed: number
}

const READ_TABLES = `
select relname as name, n_live_tup::float8 as rows, n_ins_since_vacuum::float8 as added, n_dead_tup::float8 as dead,
  n_mod_since_analyze::float8 as changed
from pg_stat_user_tables where schemaname = 'public'`

const READ_LOG_SIZE = `
select pg_wal_lsn_diff(pg_current_wal_lsn(), (pg_control_checkpoint()).redo_lsn)::float8 as bytes`

export interface Maintenance {
  /** Whether one of its statements is running. */
  readonly isAtIt: boolean
  close(): Promise<void>
}

/**
 * Maintenance that a PostgreSQL server does in background processes, which the embedded database lacks: checkpoints
 * (measured: without them its write-ahead log grows forever), VACUUM and ANALYZE. One statement per round, over the one
 * connection.
 */
export function startMaintenance(pool: pg.Pool, logger: Logger, mayWrite: () => boolean): Maintenance {
  let running: Promise<unknown> = Promise.resolve()
  let isAtIt = false
  let closed = false
  let timer: NodeJS.Timeout | undefined
  const schedule = () => {
    if (closed) return
    timer = setTimeout(() => {
      // On a full disk a checkpoint ends the backend, and there is little to do while nothing can be written.
      isAtIt = mayWrite()
      running = (isAtIt ? maintain(pool) : Promise.resolve())
        .catch((error: unknown) => {
          // A failing database is reported by all other statements, too; the next round tries again.
          if (!closed) logger.warn({ err: error }, 'the maintenance of the embedded database failed')
        })
        .then(() => {
          isAtIt = false
          schedule()
        })
    }, ROUND_MS).unref()
  }
  schedule()
  return {
    get isAtIt() {
      return isAtIt
    },
    close: async () => {
      closed = true
      clearTimeout(timer)
      await running
    },
  }
}

/** One round; exported for its test. Returns the statement that was due, if any. */
export async function maintain(pool: pg.Pool): Promise<string | null> {
  const due = await findDue(pool)
  if (due) await pool.query(due)
  return due
}

async function findDue(pool: pg.Pool): Promise<string | null> {
  const { rows: sizes } = await pool.query<{ bytes: number }>(READ_LOG_SIZE)
  if ((sizes[0]?.bytes ?? 0) > CHECKPOINT_AFTER_BYTES) return 'checkpoint'
  const { rows: tables } = await pool.query<TableState>(READ_TABLES)
  for (const { name, rows, added, dead, changed } of tables) {
    const wantsAnalyze = changed > ANALYZE_AFTER_CHANGED + ANALYZE_CHANGED_SHARE * rows
    // TRUNCATE false: shortening the file is not worth the wait.
    if (added > VACUUM_AFTER_ADDED || dead > VACUUM_AFTER_DEAD + VACUUM_DEAD_SHARE * rows) {
      return `vacuum (truncate false${wantsAnalyze ? ', analyze' : ''}) "${name}"`
    }
    if (wantsAnalyze) return `analyze "${name}"`
  }
  return null
}
