import type { CdpParams } from './cdp-commands.ts'

/** No latency and no throughput limit, online or offline. */
export const networkConditions = (offline: boolean): CdpParams<'Network.emulateNetworkConditions'> => ({
  offline,
  latency: 0,
  downloadThroughput: -1,
  uploadThroughput: -1,
})
