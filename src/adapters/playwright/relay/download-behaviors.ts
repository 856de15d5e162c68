import type { CdpParams } from '../cdp/protocol/cdp-commands.ts'
import type { CdpConnection } from '../cdp/connection/cdp-connection.ts'

export type DownloadBehavior = 'allow' | 'deny'

/**
 * What clients want to become of downloads, in each context: the last one's word counts, as in a browser of its own. The
 * browser forgets it with the client that said it, and what our Playwright had said before.
 */
export class DownloadBehaviors {
  readonly #connection: CdpConnection
  readonly #downloadsDir: string
  readonly #browserContextId: string
  /** By context: of each client that said something, in order. */
  readonly #said = new Map<string, Map<object, DownloadBehavior>>()

  /** `browserContextId`: the session's own context. */
  constructor(connection: CdpConnection, downloadsDir: string, browserContextId: string) {
    this.#connection = connection
    this.#downloadsDir = downloadsDir
    this.#browserContextId = browserContextId
  }

  /** What the browser is told. Files go where they become artifacts; without the events nobody would know of them. */
  params(browserContextId: string, behavior: DownloadBehavior): CdpParams<'Browser.setDownloadBehavior'> {
    const common = { browserContextId, eventsEnabled: true }
    if (behavior === 'deny') return { behavior, ...common }
    return { behavior: 'allowAndName', downloadPath: this.#downloadsDir, ...common }
  }

  note(client: object, browserContextId: string, behavior: DownloadBehavior): void {
    const said = this.#said.get(browserContextId) ?? new Map<object, DownloadBehavior>()
    said.delete(client)
    this.#said.set(browserContextId, said.set(client, behavior))
  }

  /** Call once the browser has let go of the client. */
  forget(client: object): void {
    const contexts = new Set([this.#browserContextId])
    for (const [browserContextId, said] of this.#said) {
      if (said.delete(client)) contexts.add(browserContextId)
      if (said.size === 0) this.#said.delete(browserContextId)
    }
    for (const browserContextId of contexts) {
      const behavior = [...(this.#said.get(browserContextId)?.values() ?? [])].at(-1) ?? 'allow'
      this.#connection.notify('Browser.setDownloadBehavior', this.params(browserContextId, behavior))
    }
  }
}
