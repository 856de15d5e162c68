import { Readable } from 'node:stream'
import { Deadline } from '../../async/deadline.ts'
import type { BrowserFile } from '../../ports/browser.ts'
import { Har } from '../exports/har.ts'
import type { SessionLog } from '../log/session-log.ts'
import type { ArtifactRecorder } from './artifact-recorder.ts'
import type { SessionServices } from './session-services.ts'

/** Of what is left when the server is going down. */
const HASTE = 0.5
/** Of its time, for reading the log: the rest is for storing what has been read. */
const READING = 0.7
/** For what is broken off to say so. */
const GRACE_MS = 250

/**
 * Keeps the log of a session that ends, as far as it is committed, as a HAR. `until`: when the session must have ended,
 * on the clock of `performance.now`. Never rejects.
 */
export async function keepHar(
  { har: source, deadlines }: Pick<SessionServices, 'har' | 'deadlines'>,
  { id: sessionId, owner, log }: { id: string; owner: string; log: Pick<SessionLog, 'head' | 'flush'> },
  files: Pick<ArtifactRecorder, 'keepFile'>,
  until: number,
): Promise<void> {
  const now = performance.now()
  using deadline = new Deadline(Math.min(deadlines.files, Math.max(0, until - now) * HASTE))
  const readUntil = now + deadline.remainingMs * READING
  await deadline.isMet(log.flush())
  const span = { sessionId, owner, after: 0, upTo: log.head.lastSequence, filter: { kinds: null } }
  const har = new Har(source, span, () => performance.now() > readUntil)
  const { signal } = deadline
  const file: BrowserFile = {
    kind: 'HAR',
    name: 'requests.har',
    contentType: 'application/json',
    pageId: null,
    open: () => Promise.resolve(Readable.from(har.pieces(signal), { objectMode: false, signal })),
  }
  const keeping = files.keepFile(file)
  if (!(await deadline.isMet(keeping))) await Deadline.isMet(keeping, GRACE_MS)
}
