import type { BrowserContext } from 'playwright'
import { Deadline } from '../../../async/deadline.ts'
import type { CdpConnection } from '../cdp/connection/cdp-connection.ts'
import { networkConditions } from '../cdp/protocol/network-conditions.ts'
import type { TargetRegistry } from '../cdp/targets/target-registry.ts'

/** An unresponsive page does not apply the change. */
const TAKE_MS = 2_000

/** Whether pages and workers of a session have a network. */
export class Connectivity {
  readonly #context: BrowserContext
  readonly #connection: CdpConnection
  readonly #targets: TargetRegistry
  #offline: boolean

  constructor(context: BrowserContext, connection: CdpConnection, targets: TargetRegistry, offline: boolean) {
    this.#context = context
    this.#connection = connection
    this.#targets = targets
    this.#offline = offline
    targets.sharedWorkersAreOffline = offline
  }

  /** See PageSizes.set. */
  async set(offline: boolean, ask: (timeoutMs: number) => Promise<number | null>): Promise<void> {
    const previous = this.#offline
    const taken = this.#send(offline)
    const answered = ask(TAKE_MS)
    if (await Deadline.isMet(taken, TAKE_MS)) return
    if ((await answered) !== null) return
    if (this.#offline === offline) void this.#send(previous)
    throw new Error(`the browser did not respond within ${TAKE_MS / 1000} s`)
  }

  /**
   * Playwright updates one page after the other, and waits for each; existing pages are updated at once here. Never
   * rejects.
   */
  async #send(offline: boolean): Promise<void> {
    this.#offline = offline
    this.#targets.sharedWorkersAreOffline = offline
    const reported = this.#targets
      .connectedSessionIds()
      .map((sessionId) =>
        this.#connection.send('Network.emulateNetworkConditions', networkConditions(offline), sessionId),
      )
    // A target that is gone meanwhile needs no network.
    await Promise.allSettled([this.#context.setOffline(offline), ...reported])
  }
}
