import { STREAM_HEADERS, type StreamFormat } from './result-stream.ts'

/** A part ends with the delimiter of the next one: clients read a part only once they have seen it. */
const part = (json: string) => `\r\ncontent-type: application/json; charset=utf-8\r\n\r\n${json}\r\n--graphql`

/**
 * Apollo's multipart protocol for subscriptions over HTTP: each result is a part with `payload`, an empty object is a
 * heartbeat. Errors beside a payload are those of a router in front of a server; ours are part of the result.
 */
export const MULTIPART_STREAM: StreamFormat = {
  mediaType: 'multipart/mixed',
  headers: {
    'content-type': 'multipart/mixed; boundary="graphql"; subscriptionSpec=1.0',
    ...STREAM_HEADERS,
  },
  opening: '\r\n--graphql',
  heartbeat: part('{}'),
  closing: '--\r\n',
  result: (json) => part(`{"payload":${json}}`),
}
