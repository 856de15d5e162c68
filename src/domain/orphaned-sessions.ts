import type { Logger } from 'pino'
import type { LogEntry } from '../ports/log-entry.ts'
import type { Store } from '../ports/store.ts'

const ERROR = 'The server stopped without ending this session. Requests that were in flight then are not in the log.'

/**
 * Ends what an earlier process of this machine left behind when it died, as FAILED / MACHINE_LOST. Call before the first
 * session is started. Returns how many there were.
 */
export async function endOrphanedSessions(store: Store, machineId: string, logger: Logger): Promise<number> {
  const orphans = await store.listLiveSessions(machineId)
  for (const record of orphans) {
    const at = Date.now()
    const entry: LogEntry<'STATUS_CHANGE'> = {
      kind: 'STATUS_CHANGE',
      sequence: record.lastSequence + 1,
      at,
      data: { from: record.status, to: 'FAILED', endReason: 'MACHINE_LOST', error: ERROR },
    }
    const patch = { status: 'FAILED', endReason: 'MACHINE_LOST', error: ERROR, endedAt: at } as const
    const outcome = await store.append(record.id, record.lastSequence, [entry], patch)
    if (outcome.kind === 'conflict') {
      logger.error({ sessionId: record.id, outcome }, 'an orphaned session has another writer')
    }
  }
  return orphans.length
}
