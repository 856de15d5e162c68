import { BrowserLaunchFailed } from '../../../ports/browser/browser.ts'
import type { EgressPolicy, EgressProxies } from '../../../ports/egress/egress.ts'

/** How browsers reach the network: each through a proxy of its own, or directly. */
export class BrowserProxies {
  readonly #proxies: EgressProxies | null
  /** For warm browsers; null: without a proxy. */
  readonly defaultProxies: EgressProxies | null

  /** `always`: every browser has a proxy, so that warm ones fit any session's egress policy. */
  constructor(proxies: EgressProxies | null, always: boolean) {
    this.#proxies = proxies
    this.defaultProxies = always ? proxies : null
  }

  /** For a session's browser. Throws BrowserLaunchFailed if it needs a proxy and none is available. */
  of({ mode, allowedHosts, upstream }: EgressPolicy): EgressProxies | null {
    if (this.defaultProxies || (mode === 'OPEN' && allowedHosts === null && upstream === null))
      return this.defaultProxies
    if (this.#proxies) return this.#proxies
    throw new BrowserLaunchFailed('the network policy of the session requires a proxy, and none is available')
  }
}
