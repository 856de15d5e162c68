import type { BodyData } from './body.ts'
import type { networkRequest } from './network-request.ts'
import type { z } from 'zod'

/** JSON of a value, as it is written in an archive: a string with its quotes, a number, or null. */
type Json = string

/** Body of a request, as JSON. */
export interface BodyTexts {
  contentType: Json
  sizeBytes: Json
  truncated: Json
  encoding: Json
  /** Null: stored separately, or encrypted. */
  inline: Json
}

/** The phases of a request in the order of NetworkTiming. */
type PhaseTexts = readonly [queued: Json, dns: Json, connect: Json, tls: Json, waiting: Json, download: Json]

/**
 * The members of a request that archives contain, as JSON: what is written as JSON again is not parsed, and texts that
 * requests have in common are compared as a whole.
 */
export interface RequestTexts {
  requestId: number
  startedAt: number
  url: Json
  method: Json
  resourceType: Json
  status: Json
  statusText: Json
  failure: Json
  durationMs: Json
  requestBytes: Json
  responseBytes: Json
  servedBy: Json
  mimeType: Json
  protocol: Json
  priority: Json
  initiator: Json
  requestHeaders: Json
  responseHeaders: Json
  timing: PhaseTexts | null
  remoteAddress: Json
  requestBody: BodyTexts | null
  requestBodyOmitted: Json
  responseBody: BodyTexts | null
  responseBodyOmitted: Json
  pageId: Json
}

/** The same of a request that was parsed. */
export function textsOfRequest(request: z.output<typeof networkRequest>): RequestTexts {
  const { timing } = request
  return {
    requestId: request.requestId,
    startedAt: request.startedAt,
    url: JSON.stringify(request.url),
    method: JSON.stringify(request.method),
    resourceType: JSON.stringify(request.resourceType),
    status: JSON.stringify(request.status),
    statusText: JSON.stringify(request.statusText),
    failure: JSON.stringify(request.failure),
    durationMs: JSON.stringify(request.durationMs),
    requestBytes: JSON.stringify(request.requestBytes),
    responseBytes: JSON.stringify(request.responseBytes),
    servedBy: JSON.stringify(request.servedBy),
    mimeType: JSON.stringify(request.mimeType),
    protocol: JSON.stringify(request.protocol),
    priority: JSON.stringify(request.priority),
    initiator: JSON.stringify(request.initiator),
    requestHeaders: JSON.stringify(request.requestHeaders),
    responseHeaders: JSON.stringify(request.responseHeaders),
    timing: timing && [
      JSON.stringify(timing.queuedMs),
      JSON.stringify(timing.dnsMs),
      JSON.stringify(timing.connectMs),
      JSON.stringify(timing.tlsMs),
      JSON.stringify(timing.waitingMs),
      JSON.stringify(timing.downloadMs),
    ],
    remoteAddress: JSON.stringify(request.remoteAddress),
    requestBody: bodyTexts(request.requestBody),
    requestBodyOmitted: JSON.stringify(request.requestBodyOmitted),
    responseBody: bodyTexts(request.responseBody),
    responseBodyOmitted: JSON.stringify(request.responseBodyOmitted),
    pageId: JSON.stringify(request.pageId),
  }
}

function bodyTexts(body: BodyData | null): BodyTexts | null {
  if (!body) return null
  const { contentType, sizeBytes, truncated, encoding, inline } = body
  const isPlain = encoding === 'UTF8' || encoding === 'BASE64'
  return {
    contentType: JSON.stringify(contentType),
    sizeBytes: JSON.stringify(sizeBytes),
    truncated: JSON.stringify(truncated),
    encoding: JSON.stringify(encoding),
    inline: isPlain ? JSON.stringify(inline) : 'null',
  }
}
