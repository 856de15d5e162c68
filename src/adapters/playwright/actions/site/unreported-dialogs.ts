import type { Dialog } from 'playwright'
import { startLateTimer } from '../../../../async/late-timer.ts'
import type { CdpConnection } from '../../cdp/connection/cdp-connection.ts'
import type { TargetRegistry } from '../../cdp/targets/target-registry.ts'

interface OpenDialog {
  type: string
  message: string
  stopTimer: () => void
}

/**
 * Playwright ignores a dialog of a page whose frames the browser has not told it yet, as where a script opens a popup in a
 * popup and asks there. Nobody would hear of it, and all pages that share the thread would stand still from then on.
 */
export class UnreportedDialogs {
  readonly #closes: (sessionId: string, isAccepted: boolean) => void
  readonly #open = new Map<string, OpenDialog>()

  /** `milliseconds`: after which one that nobody has answered is dismissed; that of leaving a page is accepted. */
  constructor(
    connection: Pick<CdpConnection, 'on' | 'notify'>,
    targets: Pick<TargetRegistry, 'source'>,
    milliseconds: () => number,
  ) {
    this.#closes = (sessionId, accept) => connection.notify('Page.handleJavaScriptDialog', { accept }, sessionId)
    // Heard before Playwright hears it.
    connection.on('Page.javascriptDialogOpening', ({ type, message }, sessionId) => {
      if (sessionId !== undefined && targets.source(sessionId)?.page) {
        this.#await(sessionId, type, message, milliseconds())
      }
    })
    connection.on('Page.javascriptDialogClosed', (_, sessionId) => sessionId !== undefined && this.#forget(sessionId))
    connection.on('Target.detachedFromTarget', ({ sessionId }) => this.#forget(sessionId))
  }

  /** Playwright has reported it. */
  reported(dialog: Dialog): void {
    // The latest first: Playwright reports one right after it was heard here.
    const isMeant = ([, { type, message }]: [string, OpenDialog]) =>
      type === dialog.type() && message === dialog.message()
    const found = [...this.#open].findLast(isMeant)
    if (found) this.#forget(found[0])
  }

  dispose(): void {
    for (const sessionId of this.#open.keys()) this.#forget(sessionId)
  }

  #await(sessionId: string, type: string, message: string, milliseconds: number): void {
    this.#forget(sessionId)
    const late = () => {
      this.#open.delete(sessionId)
      this.#closes(sessionId, type === 'beforeunload')
    }
    this.#open.set(sessionId, { type, message, stopTimer: startLateTimer(late, milliseconds) })
  }

  #forget(sessionId: string): void {
    this.#open.get(sessionId)?.stopTimer()
    this.#open.delete(sessionId)
  }
}
