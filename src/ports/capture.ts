/** What is recorded of what pages send, receive and say, beyond that they do. */
export interface CaptureOptions {
  /** TEXT: JSON, forms, text, HTML, XML of XHR, fetch and documents, and any of a request that failed. */
  bodies: 'NONE' | 'TEXT' | 'ALL'
  /** Bytes of one body that are kept at most. */
  maxBodyBytes: number
  /** Of WebSockets and EventSources; else they are counted. */
  webSocketMessages: boolean
  consoleArguments: boolean
}

export const DEFAULT_CAPTURE: CaptureOptions = {
  bodies: 'TEXT',
  maxBodyBytes: 256 * 1024,
  webSocketMessages: true,
  consoleArguments: true,
}
