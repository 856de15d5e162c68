import type { Logger } from '../../../logger.ts'
import type { CdpClient } from '../../../ports/cdp-client.ts'
import type { CdpEvents } from '../cdp-events.ts'
import { ClientFolder } from '../client-folder.ts'
import { cutText } from '../cut-text.ts'
import type { DownloadHandover } from '../download-handover.ts'
import type { Targets } from '../targets.ts'
import type { CommandParams } from './border.ts'
import type { DownloadBehaviors } from './download-behaviors.ts'
import { startsWith } from './message-text.ts'

const WILL_BEGIN = '{"method":"Browser.downloadWillBegin"'
const PROGRESS = '{"method":"Browser.downloadProgress"'
/** As the browser makes them. */
const PLAIN_GUID = /^[\w-]{1,100}$/
/** Of the name of an artifact within the name of a file, which takes 255 bytes. */
const MOST_NAME = 40

/** In the name of a file, for whatever system. */
const UNFIT = /[^\p{L}\p{N} ._()-]/gu

type Began = CdpEvents['Browser.downloadWillBegin']
type Progress = CdpEvents['Browser.downloadProgress']

export interface DownloadGround {
  targets: Pick<Targets, 'pageOfFrame'>
  handover: DownloadHandover
  behaviors: DownloadBehaviors
  /** Of the session. */
  browserContextId: string
}

/** Where a client looks for downloads, under the guids that it is told. */
interface LookedIn {
  /** Null: it is not on this machine, or that is not known yet. */
  folder: ClientFolder | null
}

/**
 * Downloads as one client sees them. They are the session's, and become its artifacts. A client that has them named by
 * their guids (Playwright does) looks for each in a folder of its own. On this machine it finds a copy; elsewhere it is
 * told a guid that reads as a sentence, which is then in the error that it gets.
 */
export class ClientDownloads {
  readonly #ground: DownloadGround
  readonly #client: Pick<CdpClient, 'localUser'>
  readonly #logger: Logger
  /** By context. */
  readonly #lookedIn = new Map<string, LookedIn>()
  readonly #shown = new Map<string, string>()

  constructor(ground: DownloadGround, client: Pick<CdpClient, 'localUser'>, logger: Logger) {
    this.#ground = ground
    this.#client = client
    this.#logger = logger
  }

  /** The client says what shall become of downloads. Returns what the browser is told. */
  setBehavior(browserContextId: string, { behavior, downloadPath }: CommandParams): CommandParams {
    const said = behavior === 'deny' ? 'deny' : 'allow'
    if (behavior === 'allowAndName' && typeof downloadPath === 'string') {
      const lookedIn: LookedIn = { folder: null }
      this.#lookedIn.set(browserContextId, lookedIn)
      void this.#find(downloadPath, lookedIn)
    } else this.#lookedIn.delete(browserContextId)
    this.#ground.behaviors.note(this, browserContextId, said)
    return this.#ground.behaviors.params(browserContextId, said) as CommandParams
  }

  /** The guid that the browser knows, of one that the client was told. */
  guidOf(shown: unknown): unknown {
    for (const [guid, name] of this.#shown) if (name === shown) return guid
    return shown
  }

  /**
   * The event as the client is told it; a promise where it has to wait for the file, null for any other event. `message`:
   * without the session.
   */
  event(message: Buffer): object | Promise<object> | null {
    if (startsWith(message, WILL_BEGIN)) return this.#began(message)
    if (startsWith(message, PROGRESS)) return this.#progressed(message)
    return null
  }

  /** Call once the browser has let go of the client. */
  release(): void {
    this.#ground.behaviors.forget(this)
  }

  #began(message: Buffer): object {
    const event = JSON.parse(message.toString()) as { method: string; params: Began }
    const { guid, frameId, suggestedFilename } = event.params
    const { targets, browserContextId } = this.#ground
    // The page may be gone: a popup that was opened for the download alone.
    const contextId = targets.pageOfFrame(frameId)?.browserContextId ?? browserContextId
    const lookedIn = this.#lookedIn.get(contextId)
    if (!lookedIn || !PLAIN_GUID.test(guid)) return event
    if (lookedIn.folder) {
      this.#ground.handover.claim(guid, lookedIn.folder)
      return event
    }
    const artifact = cutText(suggestedFilename, MOST_NAME).replace(UNFIT, '_')
    const shown = `${guid}/not on this machine, the server keeps it as the artifact ${artifact} of the session`
    this.#shown.set(guid, shown)
    return { ...event, params: { ...event.params, guid: shown } }
  }

  #progressed(message: Buffer): object | Promise<object> {
    const event = JSON.parse(message.toString()) as { method: string; params: Progress & { filePath?: string } }
    const { filePath: _, ...params } = event.params
    const { guid, state } = params
    const told = { ...event, params: { ...params, guid: this.#shown.get(guid) ?? guid } }
    if (state !== 'inProgress') this.#shown.delete(guid)
    if (state !== 'completed') return told
    return this.#ground.handover
      .isKept(guid)
      .then((isKept) => (isKept ? told : { ...told, params: { ...told.params, state: 'canceled' } }))
  }

  /** Never rejects. */
  async #find(path: string, lookedIn: LookedIn): Promise<void> {
    try {
      const uid = await this.#client.localUser()
      if (uid !== null) lookedIn.folder = await ClientFolder.find(path, uid)
    } catch (error) {
      this.#logger.warn({ err: error }, 'whether a client is on this machine is not known')
    }
  }
}
