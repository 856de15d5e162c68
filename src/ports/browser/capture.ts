/** What is recorded of the contents of pages' requests, responses and messages, in addition to the events. */
export interface CaptureOptions {
  /** TEXT: JSON, forms, text, HTML, XML of XHR, fetch and documents, and any such body of a request that failed. */
  bodies: 'NONE' | 'TEXT' | 'ALL'
  /** Max recorded bytes of one body. */
  maxBodyBytes: number
  /** For WebSockets and EventSources; otherwise messages are only counted. */
  webSocketMessages: boolean
  consoleArguments: boolean
}

export const DEFAULT_CAPTURE: CaptureOptions = {
  bodies: 'TEXT',
  maxBodyBytes: 256 * 1024,
  webSocketMessages: true,
  consoleArguments: true,
}
