import type { ServerResponse } from 'node:http'

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
  answerJson(response, 404, { error: { code: 'NOT_FOUND', message: 'There is nothing here.' } })
}
