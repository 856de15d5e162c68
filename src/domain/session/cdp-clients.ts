import type { Logger } from 'pino'
import type { BrowserSession } from '../../ports/browser/browser.ts'
import { CDP_CLOSE } from '../../contract/cdp-close-codes.ts'
import type { CdpAttachment, CdpClient, ClientAct } from '../../ports/browser/cdp-client.ts'
import { TEXT_LIMITS, type ClientDetachReason, type EntryDraft } from '../../ports/log/log-entry.ts'
import { Throttle } from '../kernel/throttle.ts'
import { CapacityExceeded } from '../kernel/capacity-queue.ts'
import type { SessionClock } from './timeouts.ts'
import type { ArtifactRecorder } from './artifact-recorder.ts'
import { Deadline } from '../../async/deadline.ts'
import type { AttachedClient } from '../sessions/session-handle.ts'

/** Per session, at the same time. */
const MAX_CLIENTS = 20
/** Commands arrive by the thousand; the last activity is recorded at most this often. */
const ACTIVITY_INTERVAL_MS = 500
const DETACH_MS = 2_000

/** What clients need from their session. */
export interface ClientHost {
  record(draft: EntryDraft): void
  /** Activity: resets the idle timeout. */
  active(): void
  /** Human-readable reason not to open a URL; null if it is allowed. */
  refuseAddress(url: string): string | null
  readonly clock: Pick<SessionClock, 'begin'>
  readonly files: Pick<ArtifactRecorder, 'uploadNamed'>
  readonly logger: Logger
}

interface Attached {
  client: CdpClient
  leave: AttachedClient['leave']
}

/**
 * Clients of the browser's protocol, such as Playwright and Puppeteer, that are connected to one session's browser.
 */
export class SessionClients {
  readonly #host: ClientHost
  readonly #attached = new Set<Attached>()
  readonly #activity: Throttle
  #count = 0
  #arriving = 0
  #closed = false

  constructor(host: ClientHost) {
    this.#host = host
    this.#activity = new Throttle(ACTIVITY_INTERVAL_MS, () => host.active())
  }

  /** Throws CapacityExceeded, or the browser's error if it is gone. */
  async attach(browser: BrowserSession, name: string, client: CdpClient): Promise<AttachedClient> {
    if (this.#attached.size + this.#arriving >= MAX_CLIENTS) {
      throw new CapacityExceeded(1, `A session may have ${MAX_CLIENTS} clients at the same time.`)
    }
    const { record, refuseAddress, logger } = this.#host
    let commandCount = 0
    let answered: (() => void) | null = null
    this.#arriving += 1
    let attachment: CdpAttachment
    try {
      attachment = await browser.attachClient(client, {
        refuseAddress,
        uploadNamed: (path) => this.#host.files.uploadNamed(path),
        commanded: () => {
          commandCount += 1
          this.#activity.touch()
        },
        underWay: (isUnderWay) => {
          answered?.()
          answered = isUnderWay ? this.#host.clock.begin() : null
          this.#activity.touch()
        },
        acted: (act) => record(actionOf(act)),
      })
    } finally {
      this.#arriving -= 1
    }
    const clientId = ++this.#count
    const who = { clientId, name: name.slice(0, TEXT_LIMITS.clientName) }
    record({ kind: 'CLIENT_ATTACHED', at: Date.now(), data: who })
    this.#host.active()
    let leaving: Promise<void> | null = null
    const leave = (reason: ClientDetachReason) => {
      leaving ??= Deadline.isMet(attachment.detach(), DETACH_MS).then(() => {
        this.#attached.delete(attached)
        record({ kind: 'CLIENT_DETACHED', at: Date.now(), data: { ...who, reason, commandCount } })
        this.#activity.touch()
      })
      return leaving
    }
    const attached: Attached = { client, leave }
    this.#attached.add(attached)
    logger.debug({ clientId, name: who.name }, 'a client attached')
    if (this.#closed) await this.#close(attached, 'the session has ended')
    return { receive: (message) => attachment.receive(message), leave }
  }

  /** Ends every connection with a reason that its client receives. Never rejects. */
  async close(why: string): Promise<void> {
    this.#closed = true
    await Promise.all([...this.#attached].map((attached) => this.#close(attached, why)))
    this.#activity.close()
  }

  async #close({ client, leave }: Attached, why: string): Promise<void> {
    client.close(CDP_CLOSE.sessionEnded, why)
    await leave('SESSION_ENDED')
  }
}

function actionOf(act: ClientAct): EntryDraft<'ACTION'> {
  const nothing = { result: null, artifactId: null, taskId: null, cost: null }
  return { kind: 'ACTION', at: Date.now(), data: { ...act, origin: 'CLIENT', ...nothing } }
}
