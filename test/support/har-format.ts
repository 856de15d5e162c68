import type { Har } from 'har-format'
import { z } from 'zod'

/** HTTP Archive 1.2 according to its specification, with the additional requirements of DevTools for imports. */

const number = z.number()
const text = z.string()
const date = z.iso.datetime()
/** Milliseconds; -1 if unknown or not applicable. */
const phase = number.min(-1)
const known = number.min(0)
const header = z.object({ name: text, value: text })
const cookie = z.object({ name: text, value: text, expires: date.optional() })
const part = { comment: text.optional() }

const request = z.object({
  method: text,
  url: text,
  httpVersion: text,
  cookies: z.array(cookie),
  headers: z.array(header),
  queryString: z.array(header),
  postData: z.object({ mimeType: text, text, ...part }).optional(),
  headersSize: phase,
  bodySize: phase,
})

const response = z.object({
  status: number,
  statusText: text,
  httpVersion: text,
  cookies: z.array(cookie),
  headers: z.array(header),
  content: z.object({
    size: phase,
    mimeType: text,
    text: text.optional(),
    encoding: z.literal('base64').optional(),
    ...part,
  }),
  redirectURL: text,
  headersSize: phase,
  bodySize: phase,
})

const message = z.object({ type: z.enum(['send', 'receive']), time: known, opcode: z.int(), data: text })

const entry = z.object({
  pageref: text.optional(),
  startedDateTime: date,
  time: known,
  request,
  response,
  cache: z.object({}),
  timings: z.object({
    blocked: phase,
    dns: phase,
    connect: phase,
    ssl: phase,
    // These three are not optional.
    send: known,
    wait: known,
    receive: known,
  }),
  serverIPAddress: text.optional(),
  _priority: z.enum(['VeryLow', 'Low', 'Medium', 'High', 'VeryHigh']).optional(),
  _fromCache: z.enum(['memory', 'disk']).optional(),
  _initiator: z.object({ type: text, url: text.optional(), lineNumber: number.optional() }).optional(),
  _resourceType: text,
  _webSocketMessages: z.array(message).optional(),
  ...part,
})

const page = z.object({
  startedDateTime: date,
  id: text,
  title: text,
  pageTimings: z.object({ onContentLoad: phase, onLoad: phase }),
})

const har = z.object({
  log: z.object({
    version: z.literal('1.2'),
    creator: z.object({ name: text, version: text }),
    pages: z.array(page),
    entries: z.array(entry),
    ...part,
  }),
})

/** The parsed archive. Throws if it is invalid, or if DevTools would reject it. */
export function readHar(json: string): Har {
  const parsed: unknown = JSON.parse(json)
  har.parse(parsed)
  const { log } = parsed as Har
  const pages = new Set(log.pages?.map(({ id }) => id))
  const homeless = log.entries.filter(({ pageref }) => pageref !== undefined && !pages.has(pageref))
  if (homeless.length > 0) throw new Error(`entries refer to pages that are not there: ${JSON.stringify(homeless)}`)
  return parsed as Har
}
