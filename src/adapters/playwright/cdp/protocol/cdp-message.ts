/** A message of the browser's protocol: an answer has an id, an event a method. */
export interface CdpMessage {
  id?: number
  method?: string
  params?: object
  sessionId?: string
  result?: object
  error?: { code?: number; message: string }
}

/** Null: the text is none. */
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
 * Playwright knows one folder for what the browser downloads and for what it writes itself, with our rights. These are
 * two: what the browser may write to is no place for us to write to (see BrowserFolders).
 */
export function withDownloadsIn(downloadsDir: string, message: CdpMessage): CdpMessage {
  if (message.method !== 'Browser.setDownloadBehavior') return message
  return { ...message, params: { ...message.params, downloadPath: downloadsDir } }
}

/** What the browser answers to a command that returns nothing. */
export function emptyAnswerTo({ id, sessionId }: CdpMessage): CdpMessage {
  return sessionId === undefined ? { id, result: {} } : { id, result: {}, sessionId }
}
