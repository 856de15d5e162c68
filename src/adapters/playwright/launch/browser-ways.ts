import { BrowserLaunchFailed } from '../../../ports/browser.ts'
import type { EgressPolicy, EgressProxies } from '../../../ports/egress.ts'

/** How browsers reach the network: through a proxy each, or as the system does. */
export class BrowserWays {
  readonly #proxies: EgressProxies | null
  /** Of browsers that are kept ready; null: without a proxy. */
  readonly usual: EgressProxies | null

  /** `always`: every browser has a proxy, so that those kept ready fit whatever a session may reach. */
  constructor(proxies: EgressProxies | null, always: boolean) {
    this.#proxies = proxies
    this.usual = always ? proxies : null
  }

  /** Of a session's browser. Throws BrowserLaunchFailed where it needs a proxy and none is to be had. */
  of({ mode, allowedHosts, upstream }: EgressPolicy): EgressProxies | null {
    if (this.usual || (mode === 'OPEN' && allowedHosts === null && upstream === null)) return this.usual
    if (this.#proxies) return this.#proxies
    throw new BrowserLaunchFailed('no proxy is available, which what the session may reach requires')
  }
}
