import type { Logger } from '../../../logger.ts'
import type { CdpClient } from '../../../ports/browser/cdp-client.ts'
import type { CdpEvents } from '../cdp/protocol/cdp-events.ts'
import { ClientFolder } from '../files/client-folder.ts'
import { cutText } from '../cdp/protocol/cut-text.ts'
import type { DownloadHandover } from '../files/download-handover.ts'
import type { TargetRegistry } from '../cdp/targets/target-registry.ts'
import type { CommandParams } from './command-policy.ts'
import { CONTEXT_ID, dropOldest, type DownloadBehaviors } from './download-behaviors.ts'
import { startsWith } from '../cdp/pipe/message-text.ts'

const WILL_BEGIN = '{"method":"Browser.downloadWillBegin"'
const PROGRESS = '{"method":"Browser.downloadProgress"'
/** As the browser makes them. */
const PLAIN_GUID = /^[\w-]{1,100}$/
/** Of the name of an artifact within the name of a file, which takes 255 bytes. */
const MAX_NAME = 40

/** In the name of a file, for whatever system. */
const UNFIT = /[^\p{L}\p{N} ._()-]/gu

type Began = CdpEvents['Browser.downloadWillBegin']
type DownloadSetting = ReturnType<DownloadBehaviors['params']>
type Progress = CdpEvents['Browser.downloadProgress']

export interface DownloadHost {
  targets: Pick<TargetRegistry, 'pageOfFrame'>
  handover: DownloadHandover
  behaviors: DownloadBehaviors
  /** Of the session. */
  browserContextId: string
}

/**
 * Downloads as one client sees them. They are the session's, and become its artifacts. A client that has them named by
 * their guids (Playwright does) looks for each in a folder of its own. On this machine it finds a copy; elsewhere it is
 * told a guid that reads as a sentence, which is then in the error that it gets.
 */
export class ClientDownloads {
  readonly #browser: DownloadHost
  readonly #client: Pick<CdpClient, 'localUser'>
  readonly #logger: Logger
  /** By context: where the client looks for downloads, under the guids that it is told; null: not on this machine. */
  readonly #folders = new Map<string, Promise<ClientFolder | null>>()
  /** Of those under way: the guid that the client is told. */
  readonly #shown = new Map<string, Promise<string>>()
  /** By what the client was told. */
  readonly #guids = new Map<string, string>()

  constructor(browser: DownloadHost, client: Pick<CdpClient, 'localUser'>, logger: Logger) {
    this.#browser = browser
    this.#client = client
    this.#logger = logger
  }

  /** Handles the client's setting for downloads. Returns the setting for the browser; null: there is no such context. */
  setBehavior(browserContextId: unknown, { behavior, downloadPath }: CommandParams): DownloadSetting | null {
    if (typeof browserContextId !== 'string' || !CONTEXT_ID.test(browserContextId)) return null
    const said = behavior === 'deny' ? 'deny' : 'allow'
    const isNamed = behavior === 'allowAndName' && typeof downloadPath === 'string'
    this.#folders.delete(browserContextId)
    if (isNamed) this.#folders.set(browserContextId, this.#find(downloadPath))
    dropOldest(this.#folders)
    this.#browser.behaviors.note(this, browserContextId, said)
    return this.#browser.behaviors.params(browserContextId, said)
  }

  /** The guid that the browser knows, of one that the client was told. */
  guidOf(shown: unknown): unknown {
    return (typeof shown === 'string' ? this.#guids.get(shown) : undefined) ?? shown
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

  /**
   * The client's user, shown to be on this machine by a folder that only that user can create, under a name that no one
   * else knows: behind a local proxy anybody may be at the other end of a local connection. Null: not shown.
   */
  async localUser(): Promise<number | null> {
    for (const found of this.#folders.values()) {
      const folder = await found
      if (folder && (await folder.isThere())) return folder.uid
    }
    return null
  }

  /** Call once the browser has let go of the client. */
  release(): void {
    this.#browser.behaviors.forget(this)
  }

  #began(message: Buffer): object | Promise<object> {
    const event = JSON.parse(message.toString()) as { method: string; params: Began }
    const { guid, frameId, suggestedFilename } = event.params
    const { targets, browserContextId } = this.#browser
    // The page may be gone: a popup that was opened for the download alone.
    const contextId = targets.pageOfFrame(frameId)?.browserContextId ?? browserContextId
    const folder = this.#folders.get(contextId)
    if (!folder || !PLAIN_GUID.test(guid)) return event
    // A small one may end before it is known where the client looks.
    this.#browser.handover.claim(guid, folder)
    const shown = folder.then((found) => (found ? guid : this.#nameOf(guid, suggestedFilename)))
    this.#shown.set(guid, shown)
    return shown.then((name) => ({ ...event, params: { ...event.params, guid: name } }))
  }

  #progressed(message: Buffer): object | Promise<object> {
    const event = JSON.parse(message.toString()) as { method: string; params: Progress }
    // Where it is here is of no use to a client.
    const params = { ...event.params, filePath: undefined }
    const { guid, state } = params
    const shown = this.#shown.get(guid)
    if (!shown && state === 'inProgress') return { ...event, params }
    return this.#rewritten(event.method, params, shown ?? Promise.resolve(guid))
  }

  /** Never rejects. */
  async #rewritten(method: string, params: Progress, shown: Promise<string>): Promise<object> {
    const { guid, state } = params
    const rewritten = { ...params, guid: await shown }
    if (state === 'inProgress') return { method, params: rewritten }
    this.#shown.delete(guid)
    this.#guids.delete(rewritten.guid)
    // One that was not kept is as good as canceled.
    const isWhole = state === 'completed' && (await this.#browser.handover.isSaved(guid))
    return { method, params: { ...rewritten, state: isWhole ? state : 'canceled' } }
  }

  /** What a client on another machine is told in place of the guid. */
  #nameOf(guid: string, suggestedFilename: string): string {
    const artifact = cutText(suggestedFilename, MAX_NAME).replace(UNFIT, '_')
    const shown = `${guid}/not on this machine, the server keeps it as the artifact ${artifact} of the session`
    this.#guids.set(shown, guid)
    return shown
  }

  /** Never rejects. */
  async #find(path: string): Promise<ClientFolder | null> {
    try {
      const uid = await this.#client.localUser()
      return uid === null ? null : await ClientFolder.find(path, uid)
    } catch (error) {
      this.#logger.warn({ err: error }, 'whether a client is on this machine is not known')
      return null
    }
  }
}
