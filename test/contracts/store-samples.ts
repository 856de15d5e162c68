import { withoutBodies } from '../../src/contract/entries/body.ts'
import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import type { EntryDraft, EntryFilter, LogEntry } from '../../src/ports/log/log-entry.ts'
import { CONSOLE_LEVELS, REQUEST_OUTCOMES, SESSION_EVENT_KINDS } from '../../src/ports/log/log-entry.ts'
import type { ApiKeyRecord } from '../../src/ports/access/api-key.ts'
import { DEFAULT_CAPTURE } from '../../src/ports/browser/capture.ts'
import { NO_EMULATION } from '../../src/ports/browser/emulation.ts'
import type { SessionRecord } from '../../src/ports/sessions/session-record.ts'
import type { Store } from '../../src/ports/store/store.ts'

export function sampleSession(members: Partial<SessionRecord> = {}): SessionRecord {
  const now = Date.now()
  return {
    id: randomUUID(),
    owner: `owner-${randomUUID()}`,
    name: null,
    metadata: {},
    status: 'CREATING',
    endReason: null,
    error: null,
    viewport: { width: 1920, height: 1080 },
    userAgent: null,
    locale: null,
    timezone: null,
    emulation: { ...NO_EMULATION, geolocation: { latitude: 1.5, longitude: -2, accuracy: 0 }, permissions: ['MIDI'] },
    offline: false,
    capture: { ...DEFAULT_CAPTURE, maxBodyBytes: 1000 },
    redact: { headers: ['x-key'], jsonKeys: ['ünïcode'], urlParameters: [], patterns: ['a+"\\'] },
    keepAlive: false,
    idleTimeoutSeconds: 600,
    maxDurationSeconds: 3600,
    machineId: 'machine',
    machineEpoch: 7,
    idempotencyKey: null,
    inputHash: null,
    createdAt: now,
    startedAt: null,
    lastActivityAt: now,
    endedAt: null,
    currentUrl: null,
    title: null,
    lastNavigationError: { url: 'http://127.0.0.1:1/', code: 'TIMEOUT', message: 'too "late"', at: 1_700_000_000_002 },
    navigationCount: 0,
    consoleMessageCount: 0,
    networkRequestCount: 0,
    actionCount: 0,
    screenshotCount: 0,
    consoleErrorCount: 0,
    failedRequestCount: 0,
    cost: { inputTokens: 0, outputTokens: 0, usd: 0 },
    profileId: null,
    egress: { mode: 'PUBLIC', allowedHosts: ['*.example.org:443'], proxy: 'socks5://proxy.example.org:1080' },
    lastSequence: 0,
    ...members,
  }
}

export const statusChange: EntryDraft = {
  kind: 'STATUS_CHANGE',
  at: 1_700_000_000_000,
  data: { from: null, to: 'CREATING', endReason: null, error: null },
}

export function consoleMessage(text: string, data: Partial<EntryDraft<'CONSOLE_MESSAGE'>['data']> = {}): EntryDraft {
  return {
    kind: 'CONSOLE_MESSAGE',
    at: 1_700_000_000_123,
    data: {
      level: 'LOG',
      source: 'CONSOLE',
      text,
      url: 'http://127.0.0.1/page',
      line: 1,
      column: 2,
      stack: null,
      pageId: 'p1',
      truncated: 0,
      method: 'LOG',
      groupDepth: 0,
      arguments: 'TEXT',
      argumentsOmitted: 0,
      exceptionId: null,
      ...data,
    },
  }
}

export function networkRequest(
  requestId: number,
  data: Partial<EntryDraft<'NETWORK_REQUEST'>['data']> = {},
): EntryDraft {
  return {
    kind: 'NETWORK_REQUEST',
    at: 1_700_000_000_456,
    data: {
      requestId,
      startedAt: 1_700_000_000_400,
      url: 'http://127.0.0.1/data.json',
      method: 'GET',
      resourceType: 'FETCH',
      status: 200,
      statusText: 'OK',
      outcome: 'COMPLETED',
      failure: null,
      durationMs: 12.25,
      requestBytes: 100,
      responseBytes: null,
      fromCache: false,
      servedBy: 'NETWORK',
      mimeType: 'application/json',
      protocol: 'http/1.1',
      priority: 'HIGH',
      isNavigation: false,
      frame: { frameId: 'F1', url: 'http://127.0.0.1/' },
      initiator: { type: 'SCRIPT', url: 'http://127.0.0.1/', line: 1, column: 2, stack: null, requestId: null },
      redirectedFrom: null,
      requestHeaders: { accept: '*/*' },
      responseHeaders: { 'content-type': 'application/json' },
      cookiesSent: [],
      cookiesSet: null,
      cookiesOmitted: 0,
      timing: { queuedMs: 0.25, dnsMs: null, connectMs: 0.5, tlsMs: null, waitingMs: 3, downloadMs: 1 },
      remoteAddress: '127.0.0.1:8080',
      ...withoutBodies(null, null),
      pageId: 'p1',
      ...data,
    },
  }
}

function webSocketMessages(
  texts: readonly (string | null)[],
  data: Partial<EntryDraft<'WEB_SOCKET_MESSAGES'>['data']>,
): EntryDraft<'WEB_SOCKET_MESSAGES'> {
  const messages = texts.map(
    (words) =>
      ({
        at: 1_700_000_000_000,
        direction: 'SENT',
        opcode: words === null ? 'BINARY' : 'TEXT',
        sizeBytes: 1,
        text: words,
        base64: words === null ? 'YQ==' : null,
        truncated: false,
      }) as const,
  )
  return {
    kind: 'WEB_SOCKET_MESSAGES',
    at: 1_700_000_000_456,
    data: {
      webSocketId: 1,
      url: 'ws://127.0.0.1/',
      pageId: 'p1',
      messages,
      omittedSent: 0,
      omittedReceived: 0,
      ...data,
    },
  }
}

function eventSourceMessages(
  requestId: number,
  texts: readonly string[],
  page: string | null,
): EntryDraft<'EVENT_SOURCE_MESSAGES'> {
  const messages = texts.map((data) => {
    return { at: 1_700_000_000_000, eventName: 'message', eventId: '', data, sizeBytes: 1, truncated: false }
  })
  return {
    kind: 'EVENT_SOURCE_MESSAGES',
    at: 1_700_000_000_456,
    data: { requestId, url: 'http://127.0.0.1/', pageId: page, messages, omitted: 0 },
  }
}

export const entriesDropped: EntryDraft = {
  kind: 'ENTRIES_DROPPED',
  at: 1_700_000_000_789,
  data: { reason: 'FLOOD', count: 3, countsByKind: { CONSOLE_MESSAGE: 3 }, from: 1, to: 2 },
}

/** The drafts as entries after `last`. */
export const numbered = (drafts: readonly EntryDraft[], last = 0): LogEntry[] =>
  drafts.map((draft, index) => ({ ...draft, sequence: last + 1 + index }))

/** A session with these entries. */
export async function insertWith(
  store: Store,
  drafts: readonly EntryDraft[],
  members: Partial<SessionRecord> = {},
): Promise<{ session: SessionRecord; entries: LogEntry[] }> {
  const session = sampleSession(members)
  await store.insertSession(session, [])
  const entries = numbered(drafts)
  for (let start = 0; start < entries.length; start += 1000) {
    await store.append(session.id, start, entries.slice(start, start + 1000))
  }
  return { session, entries }
}

/** The whole log that passes the filter, read step by step. */
export async function readAll(
  store: Store,
  sessionId: string,
  filter: EntryFilter,
  direction: 'forward' | 'backward' = 'forward',
  limit = 1000,
): Promise<LogEntry[]> {
  const all: LogEntry[] = []
  let place: number | undefined
  for (;;) {
    const bound = direction === 'forward' ? { after: place } : { before: place }
    const step = await store.readEntries({ sessionId, filter, direction, limit, ...bound })
    if (direction === 'forward') all.push(...step.entries)
    else all.unshift(...step.entries)
    if (step.done) return all
    if (place !== undefined && (direction === 'forward' ? step.scannedTo <= place : step.scannedTo >= place)) {
      throw new Error(`reading does not get on from ${place}`)
    }
    place = step.scannedTo
  }
}

export function sampleApiKey(members: Partial<ApiKeyRecord> = {}): ApiKeyRecord {
  return {
    id: randomUUID(),
    owner: `owner-${randomUUID()}`,
    name: 'a key',
    secretHash: randomUUID(),
    scopes: ['READ', 'WRITE'],
    createdAt: Date.now(),
    lastUsedAt: null,
    expiresAt: null,
    revokedAt: null,
    ...members,
  }
}

/** Few letters, so that searches often match, including letters that are special in patterns and encodings. */
const text = fc.array(fc.constantFrom('a', 'A', 'b', 'ß', 'é', 'e\u0301', '😀', '%', '_', '\\', '"', "'", '\n', ' '), {
  maxLength: 6,
})
const someText = text.map((letters) => letters.join(''))
const anyPart = fc.oneof(someText, fc.constantFrom('\ud83d', '\0', '', 'a'))
const pageId = fc.constantFrom('p1', 'p2', null)
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null })
const method = fc.constantFrom('GET', 'POST', 'pAtCh', 'QUERY')
const status = fc.constantFrom(null, 200, 301, 399, 400, 404, 500)

const ending = fc.constantFrom(
  { failure: null, outcome: 'COMPLETED' },
  { failure: null, outcome: 'UNKNOWN' },
  { failure: 'net::ERR_FAILED', outcome: 'FAILED' },
  { failure: 'session ended', outcome: 'CUT_BY_END' },
  { failure: 'the browser crashed', outcome: 'CUT_BY_END' },
)

const draft: fc.Arbitrary<(requestId: number) => EntryDraft> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.tuple(someText, fc.constantFrom(...CONSOLE_LEVELS), pageId).map(
      ([words, level, page]) =>
        () =>
          consoleMessage(words, { level, pageId: page }),
    ),
  },
  {
    weight: 4,
    arbitrary: fc.tuple(someText, method, fc.constantFrom('FETCH' as const, 'IMAGE' as const), status, ending).map(
      ([url, verb, resourceType, code, ended]) =>
        (requestId: number) =>
          networkRequest(requestId, {
            url,
            method: verb,
            resourceType,
            status: code,
            ...ended,
          }),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(fc.array(maybe(someText), { maxLength: 3 }), fc.constantFrom(1, 2), pageId).map(
      ([texts, webSocketId, page]) =>
        () =>
          webSocketMessages(texts, { webSocketId, pageId: page }),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(fc.array(someText, { maxLength: 3 }), fc.constantFrom(1, 2), pageId).map(
      ([texts, requestId, page]) =>
        () =>
          eventSourceMessages(requestId, texts, page),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      () => entriesDropped,
      () => statusChange,
    ),
  },
)

export const anyDrafts = fc
  .array(draft, { maxLength: 60 })
  .map((makers) => makers.map((make, index) => make(index + 1)))

export const anyFilter: fc.Arbitrary<EntryFilter> = fc.record(
  {
    kinds: maybe(fc.uniqueArray(fc.constantFrom(...SESSION_EVENT_KINDS))),
    console: maybe(
      fc.record(
        {
          levels: maybe(fc.uniqueArray(fc.constantFrom(...CONSOLE_LEVELS))),
          textContains: maybe(anyPart),
          pageId: maybe(fc.constantFrom('p1', 'p3', '\ud800')),
        },
        { requiredKeys: [] },
      ),
    ),
    network: maybe(
      fc.record(
        {
          urlContains: maybe(anyPart),
          methods: maybe(
            fc.array(fc.constantFrom('get', 'Post', 'PATCH', 'ß', 'SS', '\0', '\ud800'), { maxLength: 3 }),
          ),
          resourceTypes: maybe(fc.constantFrom(['FETCH' as const], ['IMAGE' as const, 'FETCH' as const], [])),
          minStatus: maybe(fc.constantFrom(200, 400)),
          maxStatus: maybe(fc.constantFrom(301, 499)),
          outcomes: maybe(fc.uniqueArray(fc.constantFrom(...REQUEST_OUTCOMES))),
          failedOnly: maybe(fc.boolean()),
        },
        { requiredKeys: [] },
      ),
    ),
    webSocket: maybe(
      fc.record(
        {
          webSocketId: maybe(fc.constantFrom(1, 3)),
          pageId: maybe(fc.constantFrom('p1', 'p3', '\ud800')),
          textContains: maybe(anyPart),
        },
        { requiredKeys: [] },
      ),
    ),
    eventSource: maybe(
      fc.record(
        {
          networkRequestId: maybe(fc.constantFrom(1, 3, 999_999_999_999_999)),
          pageId: maybe(fc.constantFrom('p1', 'p3', '\ud800')),
          textContains: maybe(anyPart),
        },
        { requiredKeys: [] },
      ),
    ),
  },
  { requiredKeys: ['kinds'] },
)
