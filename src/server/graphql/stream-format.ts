import { EVENT_STREAM } from './event-stream.ts'
import { MULTIPART_STREAM } from './multipart-stream.ts'
import type { StreamFormat } from './result-stream.ts'

/** The format of a subscription's results for a client that accepts these media types; null: none over HTTP. */
export function streamFormatFor(accept: string | null): StreamFormat | null {
  const types = (accept ?? '*/*').toLowerCase().split(',')
  const has = (pattern: RegExp) => types.some((type) => pattern.test(type))
  if (has(/^\s*text\/event-stream\s*(;|$)/)) return EVENT_STREAM
  // Without the parameter it is the format of @defer, which does not fit subscriptions.
  if (has(/^\s*multipart\/mixed\s*;(.*;)?\s*subscriptionspec="?1\.0"?\s*(;|$)/)) return MULTIPART_STREAM
  return has(/^\s*(text\/\*|\*\/\*)\s*(;|$)/) ? EVENT_STREAM : null
}

/** Whether an error can be sent as JSON, with its own status code. */
export function acceptsJson(accept: string | null): boolean {
  return /application\/(graphql-response\+)?json|application\/\*|\*\/\*/i.test(accept ?? '*/*')
}
