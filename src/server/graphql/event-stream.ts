import { STREAM_HEADERS, type StreamFormat } from './result-stream.ts'

/** Server-sent events, in the "distinct connections mode" of graphql-sse. */
export const EVENT_STREAM: StreamFormat = {
  mediaType: 'text/event-stream',
  headers: { 'content-type': 'text/event-stream; charset=utf-8', ...STREAM_HEADERS },
  opening: ':\n\n',
  heartbeat: ':\n\n',
  closing: 'event: complete\ndata:\n\n',
  result: (json) => `event: next\ndata: ${json}\n\n`,
}
