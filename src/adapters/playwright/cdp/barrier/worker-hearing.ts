import { Deadline } from '../../../../async/deadline.ts'

/** Paused workers respond within milliseconds; a slower one is not waited for. */
const HEARING_MS = 250

interface Wire {
  send(method: 'Runtime.getHeapUsage', params: Record<string, never>, sessionId: string): Promise<unknown>
}

/**
 * Resolves once a worker has processed the commands sent to it on each of these sessions, or on a timeout. Never
 * rejects.
 */
export async function whenHeard(wire: Wire, sessionIds: readonly string[]): Promise<void> {
  // A worker responds in the order of its commands; this one has no side effects.
  const answers = sessionIds.map((id) => wire.send('Runtime.getHeapUsage', {}, id).catch(() => undefined))
  await Deadline.isMet(Promise.all(answers), HEARING_MS)
}
