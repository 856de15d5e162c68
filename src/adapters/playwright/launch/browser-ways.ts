import { BrowserLaunchFailed } from '../../../ports/browser.ts'
import type { EgressPolicy, EgressProxies } from '../../../ports/egress.ts'

/** How browsers reach the network: each through a proxy of its own, or directly. */
export class BrowserWays {
  readonly #proxies: EgressProxies | null
  /** For warm browsers; null: without a proxy. */
  readonly usual: EgressProxies | null

  /** `always`: every browser has a proxy, so that warm ones fit any session's egress policy. */
  constructor(proxies: EgressProxies | null, always: boolean) {
    this.#proxies = proxies
    this.usual = always ? proxies : null
  }

  /** For a session's browser. Throws BrowserLaunchFailed if it needs a proxy and none is available. */
  of({ mode, allowedHosts, upstream }: EgressPolicy): EgressProxies | null {
    if (this.usual || (mode === 'OPEN' && allowedHosts === null && upstream === null)) return this.usual
    if (this.#proxies) return this.#proxies
    throw new BrowserLaunchFailed('the network policy of the session requires a proxy, and none is available')
  }
}
