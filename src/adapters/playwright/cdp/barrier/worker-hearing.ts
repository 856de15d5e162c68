import { Deadline } from '../../../../async/deadline.ts'

/** Workers that wait answer in milliseconds; one that does not is not waited for. */
const HEARING_MS = 250

interface Wire {
  send(method: 'Runtime.getHeapUsage', params: Record<string, never>, sessionId: string): Promise<unknown>
}

/** Resolves once a worker has done what was asked of it on each of these sessions, or when it takes too long. Never rejects. */
export async function whenHeard(wire: Wire, sessionIds: readonly string[]): Promise<void> {
  // It answers in the order in which it was asked; of these commands this one changes nothing.
  const answers = sessionIds.map((id) => wire.send('Runtime.getHeapUsage', {}, id).catch(() => undefined))
  await Deadline.isMet(Promise.all(answers), HEARING_MS)
}
