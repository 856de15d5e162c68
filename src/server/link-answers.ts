import type { ServerResponse } from 'node:http'
import { answerJson } from './answers.ts'

/** The signature that stands in a link. One that is there twice is none. */
export function signatureOf(url: URL): { expires: string | null; signature: string | null } {
  const only = (name: string) => {
    const values = url.searchParams.getAll(name)
    return values.length === 1 ? values[0]! : null
  }
  return { expires: only('expires'), signature: only('signature') }
}

/** The same words whether it was made up, changed, has expired, or its key was dropped; and whatever it points at. */
export function answerLinkInvalid(response: ServerResponse): void {
  response.setHeader('cache-control', 'no-store')
  answerJson(response, 403, { error: { code: 'LINK_INVALID', message: 'This link does not work, or no longer.' } })
}
