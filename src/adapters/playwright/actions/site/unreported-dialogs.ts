import type { Dialog } from 'playwright'
import { startLateTimer } from '../../../../async/late-timer.ts'
import type { CdpConnection } from '../../cdp/connection/cdp-connection.ts'
import type { TargetRegistry } from '../../cdp/targets/target-registry.ts'
import { targetIdOf } from '../../library/dialog-target.ts'

interface OpenDialog {
  targetId: string
  stopTimer: () => void
}

/**
 * Playwright ignores a dialog of a page whose frames the browser has not told it yet, as of a popup that ran before it was
 * prepared. Nobody would hear of it, and all pages that share the thread would stand still from then on.
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
    connection.on('Page.javascriptDialogOpening', ({ type }, sessionId) => {
      const page = targets.source(sessionId)?.page
      if (sessionId !== undefined && page) this.#await(sessionId, page.targetId, type, milliseconds())
    })
    connection.on('Page.javascriptDialogClosed', (_, sessionId) => sessionId !== undefined && this.#forget(sessionId))
    connection.on('Target.detachedFromTarget', ({ sessionId }) => this.#forget(sessionId))
  }

  /** Playwright has reported it. Others may be open that look the same: only its page tells it from them. */
  reported(dialog: Dialog): void {
    const targetId = targetIdOf(dialog)
    for (const [sessionId, open] of this.#open) if (open.targetId === targetId) this.#forget(sessionId)
  }

  dispose(): void {
    for (const sessionId of this.#open.keys()) this.#forget(sessionId)
  }

  #await(sessionId: string, targetId: string, type: string, milliseconds: number): void {
    this.#forget(sessionId)
    const late = () => {
      this.#open.delete(sessionId)
      this.#closes(sessionId, type === 'beforeunload')
    }
    this.#open.set(sessionId, { targetId, stopTimer: startLateTimer(late, milliseconds) })
  }

  #forget(sessionId: string): void {
    this.#open.get(sessionId)?.stopTimer()
    this.#open.delete(sessionId)
  }
}
