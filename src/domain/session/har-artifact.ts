import { Readable } from 'node:stream'
import { Deadline } from '../../async/deadline.ts'
import type { BrowserFile } from '../../ports/browser/browser.ts'
import { Har } from '../exports/har.ts'
import type { SessionLog } from '../log/writing/session-log.ts'
import type { ArtifactRecorder } from './artifact-recorder.ts'
import type { SessionServices } from './session-services.ts'

/** Share of the time left at server shutdown; earlier steps may have used all of it. */
const HASTE = 0.5
const LEAST_MS = 1_000
/** Share of its time for committing and reading the log; the rest is for storing the archive. */
const COMMITTED = 0.3
const READ = 0.7
/** Time for an interrupted step to report. */
const GRACE_MS = 250

/**
 * Saves the committed log of an ending session as a HAR. `until`: when the session must have ended, on the clock of
 * `performance.now`. Never rejects.
 */
export async function saveHar(
  { har: source, deadlines }: Pick<SessionServices, 'har' | 'deadlines'>,
  { id: sessionId, owner, log }: { id: string; owner: string; log: Pick<SessionLog, 'head' | 'flush'> },
  files: Pick<ArtifactRecorder, 'saveFile'>,
  until: number,
): Promise<void> {
  const now = performance.now()
  const ms = Math.min(deadlines.files, Math.max(LEAST_MS, (until - now) * HASTE))
  using deadline = new Deadline(ms)
  const isWhole = await Deadline.isMet(log.flush(), ms * COMMITTED)
  const span = { sessionId, owner, after: 0, upTo: log.head.lastSequence, filter: { kinds: null } }
  const isTimeUp = () => performance.now() > now + ms * READ
  const har = new Har(source, span, { isTimeUp, isWhole })
  const { signal } = deadline
  const file: BrowserFile = {
    kind: 'HAR',
    name: 'requests.har',
    contentType: 'application/json',
    pageId: null,
    open: () => Promise.resolve(Readable.from(har.pieces(signal), { objectMode: false, signal })),
  }
  const saving = files.saveFile(file)
  if (!(await deadline.isMet(saving))) await Deadline.isMet(saving, GRACE_MS)
}
