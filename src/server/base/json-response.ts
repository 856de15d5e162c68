import type { ServerResponse } from 'node:http'
import { TooManyWrongKeys } from '../../domain/keys/key-lookups.ts'
import { TooManyAnonymousRequests } from './anonymous-requests.ts'
import { TooManyConnections } from './connections.ts'
import { refusal } from './graphql-errors.ts'

export function answerJson(
  response: ServerResponse,
  status: number,
  body: object,
  contentType = 'application/json',
): void {
  const text = JSON.stringify(body)
  response.writeHead(status, {
    'content-type': `${contentType}; charset=utf-8`,
    'content-length': Buffer.byteLength(text),
  })
  response.end(text)
}

export function answerNotFound(response: ServerResponse): void {
  answerJson(response, 404, { error: { code: 'NOT_FOUND', message: 'Not found.' } })
}

export type Busy = TooManyAnonymousRequests | TooManyConnections | TooManyWrongKeys

/** A temporary refusal, with the time after which to retry. */
export function isBusy(error: unknown): error is Busy {
  return [TooManyAnonymousRequests, TooManyConnections, TooManyWrongKeys].some((busy) => error instanceof busy)
}

/** `graphqlType`: the media type of a GraphQL response; null: it is not one. */
export function answerBusy(response: ServerResponse, error: Busy, graphqlType: string | null): void {
  const { code, message, retryAfterSeconds } = error
  response.setHeader('retry-after', retryAfterSeconds)
  const status = error instanceof TooManyConnections ? 503 : 429
  if (graphqlType === null) answerJson(response, status, { error: { code, message, retryAfterSeconds } })
  else answerJson(response, status, { errors: [refusal(error)] }, graphqlType)
}
