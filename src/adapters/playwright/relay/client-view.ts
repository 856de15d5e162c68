import type { Logger } from '../../../logger.ts'
import type { CdpClient, CdpClientHost } from '../../../ports/browser/cdp-client.ts'
import type { CdpConnection } from '../cdp/connection/cdp-connection.ts'
import type { ClientUploads } from '../files/client-uploads.ts'
import type { TenantCommand } from '../cdp/connection/tenant.ts'
import type { Emulation } from '../../../ports/browser/emulation.ts'
import type { TargetRegistry } from '../cdp/targets/target-registry.ts'
import {
  isInvalidAddress,
  opensBlank,
  refuseCommand,
  type CommandPolicy,
  type CommandParams,
} from './command-policy.ts'
import { ClientDownloads, type DownloadHost } from './client-downloads.ts'
import { DefaultMedia } from './default-media.ts'
import { ContextAlias } from './context-alias.ts'
import { FileInputs, SET_FILES } from './file-inputs.ts'
import { HiddenWorlds } from './hidden-worlds.ts'

/** What becomes of a command. */
export type Verdict =
  /** The browser is given this one. */
  | { send: TenantCommand }
  /** The browser is not asked, for the client did nothing wrong. */
  | { result: object }
  /** It fails as it would in a browser of the client's own. */
  | { error: { code: number; message: string } }
  /** It is not served: why, for people. */
  | { refusal: string }

export interface GivenCommand {
  method: string
  params: CommandParams
  /** Null: of the session that stands for the browser. */
  sessionId: string | null
}

export interface CommandTarget {
  targetId: string
  browserContextId: string | null
}

const PERMISSIONS = new Set(['Browser.grantPermissions', 'Browser.resetPermissions', 'Browser.setPermission'])

/** What is shared by all clients of a session. */
export interface SharedBrowser extends DownloadHost {
  connection: CdpConnection
  targets: TargetRegistry
  uploads: ClientUploads
  emulation: Emulation
  /** Gives the pages of the session the permissions of the session again. */
  permitAgain(): void
  logger: Logger
}

/** The browser as one client sees it: what it asks, as the browser is asked, and what the browser says, as it is told. */
export class ClientView {
  readonly #browser: SharedBrowser
  readonly #host: Pick<CdpClientHost, 'refuseAddress' | 'uploadNamed'>
  readonly #rootId: string
  readonly #contextAlias: ContextAlias
  readonly #downloads: ClientDownloads
  readonly #files: FileInputs
  readonly #worlds: HiddenWorlds
  readonly #media: DefaultMedia
  #hasChangedPermissions = false
  /** Sessions with pages whose Bluetooth devices are emulated. */
  readonly #emulated = new Set<string>()

  /** `rootId`: the client's session that stands for the browser. */
  constructor(
    browser: SharedBrowser,
    host: Pick<CdpClientHost, 'refuseAddress' | 'uploadNamed'>,
    rootId: string,
    client: Pick<CdpClient, 'localUser'>,
  ) {
    this.#browser = browser
    this.#host = host
    this.#rootId = rootId
    this.#contextAlias = new ContextAlias(browser.browserContextId)
    this.#downloads = new ClientDownloads(browser, client, browser.logger)
    this.#files = new FileInputs(host, browser.uploads, () => this.#downloads.localUser(), browser.logger)
    this.#worlds = new HiddenWorlds(browser.connection.worlds)
    this.#media = new DefaultMedia(browser.emulation)
  }

  /** `target`: of the session; null: it is that of the browser. Never throws or rejects. */
  judge(command: GivenCommand, target: CommandTarget | null): Verdict | Promise<Verdict> {
    const { method, params } = command
    const targetId = target?.targetId ?? null
    const sessionId = command.sessionId ?? this.#rootId
    const unknownWorld = targetId === null ? null : this.#worlds.refusal(params, sessionId, targetId)
    if (unknownWorld !== null) return { error: unknownWorld }
    if (method === SET_FILES && isFull(params['files'])) return this.#giveFiles(params, sessionId)
    if (method === 'Page.setDownloadBehavior') return this.#setPageDownloads(params, targetId)
    if (isInvalidAddress(method, params)) return { error: INVALID_URL }
    const refusal = refuseCommand(method, params, this.#rules(sessionId))
    if (refusal !== null) return { refusal }
    const exception = this.#files.exceptionInstead(method, params, sessionId)
    if (exception) return { result: exception }
    if (method === 'BluetoothEmulation.enable') this.#emulated.add(sessionId)
    else if (method === 'BluetoothEmulation.disable') this.#emulated.delete(sessionId)
    const given = this.#paramsOf(method, params)
    if (given === null) return { error: NO_CONTEXT }
    const isOfSession = target?.browserContextId === this.#browser.browserContextId
    return { send: { method, params: isOfSession ? this.#media.command(method, given, sessionId) : given, sessionId } }
  }

  /** What the browser answers to Target.getBrowserContexts. */
  contexts(result: Record<string, unknown>): Record<string, unknown> {
    return this.#contextAlias.contexts(result)
  }

  /** Whether an event of a page, frame or worker is none that the client is told. */
  hides(message: Buffer, sessionId: string, targetId: string): boolean {
    return this.#worlds.hides(message, sessionId, targetId)
  }

  /** An event of the browser (without its session) as it is told; null: as it is. A promise never rejects. */
  translated(message: Buffer): object | Promise<object> | null {
    return this.#downloads.event(message)
  }

  /** A session of the client has ended. */
  forget(sessionId: string): void {
    this.#emulated.delete(sessionId)
    this.#worlds.forget(sessionId)
    this.#media.forget(sessionId)
  }

  /** Call once the browser has let go of the client. */
  release(): void {
    this.#downloads.release()
    if (this.#hasChangedPermissions) this.#browser.permitAgain()
  }

  #rules(sessionId: string): CommandPolicy {
    return {
      refuseAddress: (url) => this.#host.refuseAddress(url),
      browserContextId: this.#browser.browserContextId,
      emulatesDevices: this.#emulated.has(sessionId),
    }
  }

  /** Null: it names a context that does not exist. */
  #paramsOf(method: string, params: CommandParams): CommandParams | null {
    const given = this.#contextAlias.command(method, opensBlank(method, params) ? { ...params, url: '' } : params)
    this.#hasChangedPermissions ||= PERMISSIONS.has(method)
    if (method === 'Browser.cancelDownload') return { ...given, guid: this.#downloads.guidOf(given['guid']) }
    if (method !== 'Browser.setDownloadBehavior') return given
    const setting = this.#downloads.setBehavior(given['browserContextId'], given)
    return setting && { ...setting }
  }

  /** It is deprecated, but what most answers on the web recommend. It means the context of its page. */
  #setPageDownloads(params: CommandParams, targetId: string | null): Verdict {
    const contextId = targetId === null ? null : this.#browser.targets.contextIdOf(targetId)
    const given = this.#downloads.setBehavior(contextId ?? this.#browser.browserContextId, params)
    if (given) this.#browser.connection.notify('Browser.setDownloadBehavior', given, this.#rootId)
    return { result: {} }
  }

  async #giveFiles(params: CommandParams, sessionId: string): Promise<Verdict> {
    const resolved = await this.#files.resolve(params, sessionId)
    return 'refusal' in resolved ? resolved : { send: { method: SET_FILES, params: resolved.params, sessionId } }
  }
}

const NO_CONTEXT = { code: -32_602, message: 'Failed to find browser context for the given id' }
const INVALID_URL = { code: -32_000, message: 'Cannot navigate to invalid URL' }

const isFull = (files: unknown) => Array.isArray(files) && files.length > 0
