import type { ServerResponse } from 'node:http'
import type { GivenLinkQuery } from '../../domain/links/signed-links.ts'
import { answerJson } from '../base/json-response.ts'

/** What a link's query says of its terms. What is there twice is not there. */
export function linkQueryOf(url: URL): GivenLinkQuery {
  const only = (name: string) => {
    const values = url.searchParams.getAll(name)
    return values.length === 1 ? values[0]! : null
  }
  return { expires: only('expires'), maker: only('maker'), signature: only('signature') }
}

/** The same words whether it was made up, changed, has expired or was revoked; and whatever it points at. */
export function answerLinkInvalid(response: ServerResponse): void {
  response.setHeader('cache-control', 'no-store')
  answerJson(response, 403, { error: { code: 'LINK_INVALID', message: 'Invalid or expired link.' } })
}
