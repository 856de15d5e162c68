/** The browser's response to Network.loadNetworkResource. */
export interface LoadedResource {
  success: boolean
  netErrorName?: string
  httpStatusCode?: number
  headers?: Record<string, string>
}
