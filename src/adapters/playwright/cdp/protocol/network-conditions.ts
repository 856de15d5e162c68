import type { CdpParams } from './cdp-commands.ts'

/** No latency and no limit of bytes: offline, or as fast as it is. */
export const networkConditions = (offline: boolean): CdpParams<'Network.emulateNetworkConditions'> => ({
  offline,
  latency: 0,
  downloadThroughput: -1,
  uploadThroughput: -1,
})
