import type { EntryDraft, RequestCookie } from '../../ports/log/log-entry.ts'
import { MASK } from './mask.ts'
import type { Redaction } from './redaction.ts'

/**
 * An entry with masked secrets. The same object if nothing is masked: this costs a flood of messages next to nothing.
 */
export function redactedEntry<Draft extends EntryDraft>(draft: Draft, redaction: Redaction): Draft {
  const data = maskedData(draft, redaction)
  return data === draft.data ? draft : { ...draft, data }
}

function maskedData(draft: EntryDraft, redaction: Redaction): EntryDraft['data'] {
  switch (draft.kind) {
    case 'NETWORK_REQUEST': {
      const { redirectedFrom: from, requestHeaders: sent, responseHeaders: received, frame, initiator } = draft.data
      return changed(draft.data, {
        url: redaction.url(draft.data.url),
        redirectedFrom: from === null ? null : redaction.url(from),
        requestHeaders: redaction.headers(sent),
        responseHeaders: received && redaction.headers(received),
        frame: frame && withMaskedUrl(frame, redaction),
        initiator: initiator && withMaskedStack(withMaskedUrl(initiator, redaction), redaction),
        cookiesSent: maskedCookies(draft.data.cookiesSent, 'cookie', redaction),
        cookiesSet: maskedCookies(draft.data.cookiesSet, 'set-cookie', redaction),
      })
    }
    case 'ACTION': {
      const { details, error } = draft.data
      const { finalUrl } = details
      const left = typeof finalUrl === 'string' ? { finalUrl: redaction.url(finalUrl) } : {}
      return changed(draft.data, {
        details: changed(withMaskedUrl(details, redaction), left),
        error: error && changed(error, { message: redaction.message(error.message) }),
      })
    }
    case 'WEB_SOCKET_OPENED': {
      const { requestHeaders, responseHeaders } = draft.data
      return changed(withMaskedUrl(draft.data, redaction), {
        requestHeaders: redaction.headers(requestHeaders),
        responseHeaders: responseHeaders && redaction.headers(responseHeaders),
      })
    }
    case 'CONSOLE_MESSAGE': {
      const line = withMaskedUrl(draft.data, redaction)
      if (line.stack === null) return redaction.json(line)
      // An error among the arguments has the same stack.
      const repeated = changed(line, { arguments: redaction.messages(line.arguments) })
      return redaction.json(withMaskedStack(repeated, redaction))
    }
    case 'DIALOG':
      return redaction.json(withMaskedUrl(draft.data, redaction))
    case 'ISSUE':
      return redaction.messages(withMaskedUrl(draft.data, redaction))
    case 'DOWNLOAD':
    case 'NAVIGATION':
    case 'PAGE_OPENED':
    case 'PAGE_CLOSED':
    case 'PAGE_CRASHED':
    case 'WEB_SOCKET_MESSAGES':
    case 'WEB_SOCKET_CLOSED':
    case 'EVENT_SOURCE_MESSAGES':
      return withMaskedUrl(draft.data, redaction)
    default:
      return draft.data
  }
}

/** In the same way as the header that contains them. */
function maskedCookies(cookies: RequestCookie[] | null, header: string, redaction: Redaction): RequestCookie[] | null {
  const masked = cookies?.map((cookie) => {
    const value = redaction.hides(header) ? MASK : redaction.text(cookie.value)
    return changed(cookie, { value })
  })
  return masked?.some((cookie, index) => cookie !== cookies![index]) ? masked : cookies
}

function withMaskedUrl<Data extends object>(data: Data, redaction: Redaction): Data {
  const url: unknown = 'url' in data ? data.url : null
  return typeof url === 'string' ? changed(data, { url: redaction.url(url) } as unknown as Partial<Data>) : data
}

function withMaskedStack<Data extends { stack: string | null }>(data: Data, redaction: Redaction): Data {
  const { stack } = data
  return stack === null ? data : changed(data, { stack: redaction.message(stack) } as Partial<Data>)
}

function changed<Data extends object>(data: Data, members: Partial<Data>): Data {
  const isSame = Object.entries(members).every(([name, value]) => data[name as keyof Data] === value)
  return isSame ? data : { ...data, ...members }
}
