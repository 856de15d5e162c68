/** A CDP message: a response has an id, an event a method. */
export interface CdpMessage {
  id?: number
  method?: string
  params?: object
  sessionId?: string
  result?: object
  error?: { code?: number; message: string }
}

/** Null: the text is not a message. */
export function parseMessage(text: string): CdpMessage | null {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return null
  }
  if (typeof value !== 'object' || value === null) return null
  const { id, method, sessionId } = value as Record<string, unknown>
  const isAnswer = typeof id === 'number' && method === undefined
  const isEvent = typeof method === 'string' && id === undefined
  const isWhole = (isAnswer || isEvent) && (sessionId === undefined || typeof sessionId === 'string')
  return isWhole ? value : null
}

/**
 * Replaces the downloads directory in a message. Playwright uses one directory for the browser's downloads and for its
 * own files, which it writes with our rights. These are two here: we must not write to a directory that the browser can
 * write to (see BrowserFolders).
 */
export function withDownloadsIn(downloadsDir: string, message: CdpMessage): CdpMessage {
  if (message.method !== 'Browser.setDownloadBehavior') return message
  return { ...message, params: { ...message.params, downloadPath: downloadsDir } }
}

/** The browser's response to a command without a result. */
export function emptyAnswerTo({ id, sessionId }: CdpMessage): CdpMessage {
  return sessionId === undefined ? { id, result: {} } : { id, result: {}, sessionId }
}
