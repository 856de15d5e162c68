import type { ServerResponse } from 'node:http'
import type { GivenLinkQuery } from '../../domain/links/signed-links.ts'
import { answerJson } from '../base/json-response.ts'

/** The terms in a link's query. Duplicate parameters count as missing. */
export function linkQueryOf(url: URL): GivenLinkQuery {
  const only = (name: string) => {
    const values = url.searchParams.getAll(name)
    return values.length === 1 ? values[0]! : null
  }
  return { expires: only('expires'), maker: only('maker'), signature: only('signature') }
}

/** The same message whether the link was forged, changed, expired or revoked, and whatever its target is. */
export function answerLinkInvalid(response: ServerResponse): void {
  response.setHeader('cache-control', 'no-store')
  answerJson(response, 403, { error: { code: 'LINK_INVALID', message: 'Invalid or expired link.' } })
}
