import type { BodyData } from '../../contract/entries/body.ts'
import { encodeGlobalId } from '../../contract/global-id.ts'
import type { EntryData, LogEntry, SessionEventKind } from '../../ports/log/log-entry.ts'
import { SESSION_EVENT_KINDS } from '../../ports/log/log-entry.ts'
import type { RequestCookie, RequestInitiator } from '../../contract/entries/network-request.ts'
import { encodeEntryCursor } from '../kernel/cursor.ts'
import { argumentsOf, repeatHash } from '../log/entries/console-shape.ts'
import { RESOURCE_TYPE } from '../log/entries/entry-filter-input.ts'
import { readSpan, type LogSpan, type SpanStore } from '../log/reading/log-span.ts'
import { inPieces } from './text-pieces.ts'
import { isTextBody, textOfBody, type ReadBody } from './stored-bodies.ts'

interface NdjsonSource {
  store: SpanStore
  readBody: ReadBody
}

/**
 * A part of a log as newline-delimited JSON: one line per entry, with the members and names of the API. `kind` is the
 * type of the entry, so the kind of an artifact is `artifactKind`; artifacts are referenced by id. Each line has the
 * cursor to resume after it.
 */
export function ndjsonOf(source: NdjsonSource, span: LogSpan, signal: AbortSignal): AsyncGenerator<string> {
  return inPieces(linesOf(source, span, signal))
}

async function* linesOf(source: NdjsonSource, span: LogSpan, signal: AbortSignal): AsyncGenerator<string> {
  for await (const entries of readSpan(source.store, span, signal)) {
    for (const entry of entries) yield await lineOf(source, span, entry, signal)
  }
}

async function lineOf(
  { readBody }: NdjsonSource,
  span: LogSpan,
  entry: LogEntry,
  signal: AbortSignal,
): Promise<string> {
  const { kind, sequence, at } = entry
  const cursor = encodeEntryCursor(span.sessionId, sequence)
  const data = shown(entry, span.sessionId)
  if (kind === 'NETWORK_REQUEST') {
    const { requestBody, requestBodyOmitted, responseBody, responseBodyOmitted } = entry.data
    const read = (body: BodyData | null) => body && shownBody(body, span.owner, readBody, signal)
    const [request, response] = [await read(requestBody), await read(responseBody)]
    const lost = (body: BodyData | null, shownAs: object | null) => (body && !shownAs ? 'STORE_FAILED' : null)
    Object.assign(data, {
      requestBody: request,
      requestBodyOmitted: requestBodyOmitted ?? lost(requestBody, request),
      responseBody: response,
      bodyOmitted: responseBodyOmitted ?? lost(responseBody, response),
    })
  }
  return `${JSON.stringify({ kind, sequence, at: timeOf(at), cursor, ...data })}\n`
}

async function shownBody(body: BodyData, owner: string, readBody: ReadBody, signal: AbortSignal) {
  const { contentType, sizeBytes, truncated } = body
  const content = await textOfBody(body, owner, readBody, signal)
  if (content === null) return null
  const isText = isTextBody(body)
  return { contentType, sizeBytes, truncated, text: isText ? content : null, base64: isText ? null : content }
}

function shown<K extends SessionEventKind>({ kind, data }: LogEntry<K>, sessionId: string): object {
  const shape = SHAPES[kind]
  return shape ? shape(data, sessionId) : { ...data }
}

function without<Data extends object, Name extends keyof Data>(data: Data, ...names: Name[]): Omit<Data, Name> {
  const rest = { ...data }
  for (const name of names) delete rest[name]
  return rest
}

/** Members that the API names or formats differently from the stored entry. */
const SHAPES: { [K in SessionEventKind]?: (data: EntryData[K], sessionId: string) => object } = {
  STATUS_CHANGE: ({ error, ...data }) => ({ ...data, errorMessage: error }),
  CONSOLE_MESSAGE: (line) => ({
    ...without(line, 'url', 'line', 'column', 'method'),
    location: placeOf(line),
    consoleMethod: line.method,
    hash: repeatHash(line),
    arguments: argumentsOf(line),
  }),
  EVENT_SOURCE_MESSAGES: ({ messages, omitted, ...data }, sessionId) => ({
    ...data,
    networkRequestId: requestIdOf(sessionId, data.requestId),
    streamMessages: messages.map(withTime),
    omittedReceived: omitted,
  }),
  WEB_SOCKET_MESSAGES: ({ messages, ...data }) => ({ ...data, messages: messages.map(withTime) }),
  ISSUE: ({ code, url, line, column, requestId, ...data }, sessionId) => ({
    ...data,
    issueCode: code,
    location: placeOf({ url, line, column }),
    affectedRequestId: requestIdOf(sessionId, requestId),
  }),
  NETWORK_REQUEST: ({ startedAt, durationMs, resourceType, responseBodyOmitted: _, ...data }, sessionId) => ({
    ...data,
    initiator: data.initiator && shownInitiator(data.initiator, sessionId),
    cookiesSent: data.cookiesSent?.map(shownCookie) ?? null,
    cookiesSet: data.cookiesSet?.map(shownCookie) ?? null,
    startedAt: timeOf(startedAt),
    durationMs: Math.round(durationMs),
    resourceType: RESOURCE_TYPE.names?.[resourceType] ?? resourceType,
  }),
  WEB_SOCKET_CLOSED: ({ error, ...data }) => ({ ...data, errorMessage: error }),
  DOWNLOAD: ({ artifactId, ...data }) => ({ ...data, artifactId: idOf('Artifact', artifactId) }),
  DIALOG: ({ type, url, ...data }) => ({ ...data, dialogType: type, pageUrl: url }),
  ENTRIES_DROPPED: ({ reason, countsByKind, from, to, ...data }) => ({
    ...data,
    reason: reason === 'STORE_UNAVAILABLE' ? 'DATABASE_UNAVAILABLE' : reason,
    kinds: SESSION_EVENT_KINDS.filter((kind) => (countsByKind[kind] ?? 0) > 0),
    firstAt: timeOf(from),
    lastAt: timeOf(to),
  }),
  ACTION: ({ startedAt, artifactId, taskId, ...data }) => ({
    ...data,
    startedAt: timeOf(startedAt),
    artifactId: idOf('Artifact', artifactId),
    taskId: idOf('Task', taskId),
  }),
  ARTIFACT_CREATED: ({ kind, artifactId, ...data }) => ({
    ...data,
    artifactKind: kind,
    artifactId: idOf('Artifact', artifactId),
  }),
  ARTIFACT_FAILED: ({ kind, ...data }) => ({ ...data, artifactKind: kind }),
  TASK_STEP: ({ taskId, ...data }) => ({ ...data, taskId: idOf('Task', taskId) }),
  TASK_ENDED: ({ taskId, status, error, ...data }) => ({
    ...data,
    taskId: idOf('Task', taskId),
    taskStatus: status,
    errorMessage: error,
  }),
  CLIENT_DETACHED: ({ reason, ...data }) => ({ ...data, detachReason: reason }),
}

const withTime = <T extends { at: number }>(message: T) => ({ ...message, at: timeOf(message.at) })

const shownCookie = ({ expiresAt, ...cookie }: RequestCookie) => ({
  ...cookie,
  expiresAt: expiresAt === null ? null : timeOf(expiresAt),
})

const shownInitiator = ({ type, stack, requestId, ...place }: RequestInitiator, sessionId: string) => ({
  type,
  location: placeOf(place),
  stack,
  requestId: requestIdOf(sessionId, requestId),
})

const placeOf = ({ url, line, column }: { url: string | null; line: number | null; column: number | null }) =>
  url === null ? null : { url, line, column }
const requestIdOf = (sessionId: string, requestId: number | null) =>
  requestId === null ? null : encodeGlobalId('NetworkRequest', sessionId, requestId)
const timeOf = (at: number) => new Date(at).toISOString()
const idOf = (type: string, uuid: string | null) => (uuid === null ? null : encodeGlobalId(type, uuid))
