import type { EntryDraft } from '../../ports/log-entry.ts'
import type { Redaction } from './redaction.ts'

/** An entry as it may be recorded. The same one where nothing is masked: it costs a flood of lines next to nothing. */
export function redactedEntry(draft: EntryDraft, redaction: Redaction): EntryDraft {
  const data = maskedData(draft, redaction)
  return data === draft.data ? draft : ({ ...draft, data } as EntryDraft)
}

function maskedData(draft: EntryDraft, redaction: Redaction): EntryDraft['data'] {
  switch (draft.kind) {
    case 'NETWORK_REQUEST': {
      const { redirectedFrom: from, requestHeaders: sent, responseHeaders: received } = draft.data
      return changed(draft.data, {
        url: redaction.url(draft.data.url),
        redirectedFrom: from === null ? null : redaction.url(from),
        requestHeaders: redaction.headers(sent),
        responseHeaders: received && redaction.headers(received),
      })
    }
    case 'ACTION': {
      const { details } = draft.data
      return changed(draft.data, { details: withMaskedUrl(details, redaction) })
    }
    case 'CONSOLE_MESSAGE':
    case 'DIALOG':
      return redaction.json(withMaskedUrl(draft.data, redaction))
    case 'DOWNLOAD':
    case 'NAVIGATION':
    case 'PAGE_OPENED':
    case 'PAGE_CLOSED':
    case 'PAGE_CRASHED':
    case 'WEB_SOCKET_OPENED':
    case 'WEB_SOCKET_CLOSED':
      return withMaskedUrl(draft.data, redaction)
    default:
      return draft.data
  }
}

function withMaskedUrl<Data extends object>(data: Data, redaction: Redaction): Data {
  const url: unknown = 'url' in data ? data.url : null
  return typeof url === 'string' ? changed(data, { url: redaction.url(url) } as unknown as Partial<Data>) : data
}

function changed<Data extends object>(data: Data, members: Partial<Data>): Data {
  const isSame = Object.entries(members).every(([name, value]) => data[name as keyof Data] === value)
  return isSame ? data : { ...data, ...members }
}
