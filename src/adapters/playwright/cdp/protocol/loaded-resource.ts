/** What the browser answers to Network.loadNetworkResource. */
export interface LoadedResource {
  success: boolean
  netErrorName?: string
  httpStatusCode?: number
  headers?: Record<string, string>
}
