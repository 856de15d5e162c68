import type { Dialog } from 'playwright'
import type { CdpConnection } from '../../cdp/connection/cdp-connection.ts'
import type { TargetRegistry } from '../../cdp/targets/target-registry.ts'

/** How long after a client's input a dialog counts as its consequence: pages ask a server first, or load. */
const FOLLOWS_MS = 10_000
/** Openings that are kept until Playwright reports the dialog, and so much of each message. */
const MAX_OPENINGS = 50
const MAX_MESSAGE = 1_000

/** One attached client. */
export interface InputClient {
  /** It sent a command that may make the page open a dialog; null: which page is not known. */
  acted(pageId: string | null): void
}

interface Opening {
  type: string
  message: string
  author: InputClient | null
}

/**
 * On which pages clients of the browser's protocol act. A dialog that follows a client's own input is one that it will
 * answer, and clients with a model behind them think for longer than a page should stand still for nobody.
 */
export class ClientInputs {
  readonly #inputs = new Map<InputClient, Map<string, number>>()
  readonly #openings: Opening[] = []

  constructor(connection: Pick<CdpConnection, 'on'>, targets: Pick<TargetRegistry, 'source'>) {
    // Heard before Playwright hears it, and with the page also where that is a popup which Playwright is not ready for.
    connection.on('Page.javascriptDialogOpening', ({ type, message }, sessionId) => {
      const page = targets.source(sessionId)?.page
      if (!page) return
      const author = this.#authorOn([page.pageId, page.openerPageId])
      this.#openings.push({ type, message: message.slice(0, MAX_MESSAGE), author })
      if (this.#openings.length > MAX_OPENINGS) this.#openings.shift()
    })
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

  /** The client whose input a dialog follows that has just opened: on its page, or on the page that opened it. Null: none. */
  authorOf(dialog: Dialog): InputClient | null {
    const [type, message] = [dialog.type(), dialog.message().slice(0, MAX_MESSAGE)]
    const index = this.#openings.findIndex((opening) => opening.type === type && opening.message === message)
    const [opening] = index < 0 ? [] : this.#openings.splice(index, 1)
    return opening?.author && this.#inputs.has(opening.author) ? opening.author : null
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
