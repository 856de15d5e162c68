import type { Dialog } from 'playwright'
import type { CdpConnection } from '../../cdp/connection/cdp-connection.ts'
import type { TargetRegistry } from '../../cdp/targets/target-registry.ts'
import { targetIdOf } from '../../library/dialog-target.ts'

/** How long after a client's input a dialog counts as its consequence: pages ask a server first, or load. */
const FOLLOWS_MS = 10_000

/** One attached client. */
export interface InputClient {
  /** It sent a command that may make the page open a dialog; null: which page is not known. */
  acted(pageId: string | null): void
}

/** The dialog that a page opened last, until it is closed. */
interface Opening {
  targetId: string
  author: InputClient | null
}

/**
 * On which pages clients of the browser's protocol act. A dialog that follows a client's own input is one that it will
 * answer, and clients with a model behind them think for longer than a page should stand still for nobody.
 */
export class ClientInputs {
  readonly #inputs = new Map<InputClient, Map<string, number>>()
  /** By the session with the page. */
  readonly #openings = new Map<string, Opening>()

  constructor(connection: Pick<CdpConnection, 'on'>, targets: Pick<TargetRegistry, 'source'>) {
    // Heard before Playwright hears it, and with the page also where that is a popup which Playwright is not ready for.
    connection.on('Page.javascriptDialogOpening', (_, sessionId) => {
      const page = targets.source(sessionId)?.page
      if (sessionId === undefined || !page) return
      const author = this.#authorOn([page.pageId, ...page.openerPageIds])
      this.#openings.set(sessionId, { targetId: page.targetId, author })
    })
    connection.on('Page.javascriptDialogClosed', (_, sessionId = '') => this.#openings.delete(sessionId))
    connection.on('Target.detachedFromTarget', ({ sessionId }) => this.#openings.delete(sessionId))
  }

  get hasClients(): boolean {
    return this.#inputs.size > 0
  }

  attach(): InputClient {
    const pages = new Map<string, number>()
    const client: InputClient = {
      acted: (pageId) => {
        if (pageId !== null) pages.set(pageId, performance.now())
      },
    }
    this.#inputs.set(client, pages)
    return client
  }

  detach(client: InputClient): void {
    this.#inputs.delete(client)
  }

  /** The client whose input a dialog follows that has just opened: on its page, or on one that it was opened from. Null: none. */
  authorOf(dialog: Dialog): InputClient | null {
    const targetId = targetIdOf(dialog)
    const author = [...this.#openings.values()].find((opening) => opening.targetId === targetId)?.author ?? null
    return author && this.#inputs.has(author) ? author : null
  }

  #authorOn(pageIds: readonly (string | null)[]): InputClient | null {
    const since = performance.now() - FOLLOWS_MS
    let [author, latest]: [InputClient | null, number] = [null, since]
    for (const [client, pages] of this.#inputs) {
      for (const pageId of pageIds) {
        const at = pageId === null ? undefined : pages.get(pageId)
        if (at !== undefined && at >= latest) [author, latest] = [client, at]
      }
    }
    return author
  }
}
