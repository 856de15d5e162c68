import { randomUUID } from 'node:crypto'
import type { EntryDraft, SessionEventKind } from '../../src/ports/log/log-entry.ts'
import type { Store } from '../../src/ports/store/store.ts'
import type { Cost } from '../../src/ports/tasks/task.ts'
import { encodeGlobalId } from '../../src/contract/global-id.ts'
import { numbered, sampleApiKey, sampleSession } from '../contracts/store-samples.ts'

/** API ids of one owner's data. */
export interface OwnedThings {
  /** An ended session whose log has every kind of entry. */
  session: string
  /** One of each type of node, by type name. */
  nodes: Record<string, string>
}

/** Node type of each kind of entry. */
export const TYPE_OF = {
  STATUS_CHANGE: 'StatusChange',
  NAVIGATION: 'Navigation',
  PAGE_OPENED: 'PageOpened',
  PAGE_CLOSED: 'PageClosed',
  PAGE_CRASHED: 'PageCrashed',
  CONSOLE_MESSAGE: 'ConsoleMessage',
  NETWORK_REQUEST: 'NetworkRequest',
  WEB_SOCKET_OPENED: 'WebSocketOpened',
  WEB_SOCKET_MESSAGES: 'WebSocketMessages',
  WEB_SOCKET_CLOSED: 'WebSocketClosed',
  EVENT_SOURCE_MESSAGES: 'EventSourceMessages',
  DOWNLOAD: 'Download',
  DIALOG: 'Dialog',
  ENTRIES_DROPPED: 'EntriesDropped',
  ACTION: 'Action',
  ARTIFACT_CREATED: 'ArtifactCreated',
  ARTIFACT_FAILED: 'ArtifactFailed',
  CLIENT_ATTACHED: 'ClientAttached',
  CLIENT_DETACHED: 'ClientDetached',
  ISSUE: 'Issue',
  EXCEPTION_HANDLED: 'ExceptionHandled',
  TASK_STEP: 'TaskStep',
  TASK_ENDED: 'TaskEnded',
} satisfies Record<SessionEventKind, string>

/**
 * Stores one of everything for an owner, as a server would, with the marker in every text that comes from a page, a
 * client or a model. The owner's last key is revoked, so that it can be revoked repeatedly.
 */
export async function keepOneOfEach(store: Store, owner: string, marker: string): Promise<OwnedThings> {
  const now = Date.now()
  const [artifactId, taskId, profileId] = [randomUUID(), randomUUID(), randomUUID()]
  const cost: Cost = { inputTokens: 1, outputTokens: 1, usd: 0.5 }
  const times = { createdAt: now - 2000, endedAt: now - 1000 }
  await store.saveProfile({
    id: profileId,
    owner,
    name: marker,
    sealed: Buffer.from('sealed'),
    sizeBytes: 6,
    createdAt: now,
    updatedAt: now,
  })
  const data = entryData(marker, artifactId, taskId, cost)
  const drafts = Object.entries(data).map(([kind, members]) => ({ kind, at: now - 1000, data: members }) as EntryDraft)
  const session = sampleSession({
    owner,
    name: marker,
    metadata: { marker },
    status: 'CLOSED',
    endReason: 'TERMINATED',
    error: marker,
    currentUrl: `http://127.0.0.1/${marker}`,
    title: marker,
    ...times,
    startedAt: now - 1900,
    profileId,
    cost,
  })
  await store.insertSession(session, numbered(drafts))
  const file = { kind: 'UPLOAD', name: `${marker}.txt`, contentType: 'text/plain', sizeBytes: 1, pageId: 'p1' } as const
  const artifact = { ...file, id: artifactId, owner, sessionId: session.id, sha256: '0'.repeat(64), createdAt: now }
  await store.insertArtifact(artifact, Number.MAX_SAFE_INTEGER)
  const task = { prompt: marker, status: 'COMPLETED', result: marker, error: null, steps: 1 } as const
  await store.insertTask({ ...task, id: taskId, owner, sessionId: session.id, cost, ...times })
  const key = sampleApiKey({ owner, name: marker, scopes: ['KEYS'], revokedAt: now })
  await store.insertApiKey(key)

  const entries = Object.keys(data).map((kind, index) => {
    const type = TYPE_OF[kind as SessionEventKind]
    return [type, encodeGlobalId(type, session.id, kind === 'NETWORK_REQUEST' ? 1 : index + 1)] as const
  })
  return {
    session: encodeGlobalId('Session', session.id),
    nodes: {
      ...Object.fromEntries(entries),
      Artifact: encodeGlobalId('Artifact', artifactId),
      Task: encodeGlobalId('Task', taskId),
      Profile: encodeGlobalId('Profile', profileId),
      ApiKey: encodeGlobalId('ApiKey', key.id),
      Session: encodeGlobalId('Session', session.id),
    },
  }
}

/** One of each kind of entry, with every nullable member set. */
export function entryData(marker: string, artifactId: string, taskId: string, cost: Cost) {
  const pageId = 'p1'
  const url = `http://127.0.0.1/${marker}`
  const cookie = {
    name: marker,
    value: marker,
    domain: marker,
    path: marker,
    expiresAt: 1,
    httpOnly: true,
    secure: true,
    sameSite: 'LAX' as const,
    blockedReasons: [marker],
    exemptionReason: marker,
  }
  const data: { [K in SessionEventKind]: EntryDraft<K>['data'] } = {
    STATUS_CHANGE: { from: null, to: 'CREATING', endReason: null, error: marker },
    NAVIGATION: { pageId, url, sameDocument: false },
    PAGE_OPENED: { pageId, url, openerPageId: null },
    PAGE_CLOSED: { pageId, url },
    PAGE_CRASHED: { pageId, url, crashReason: marker, crashCode: 5 },
    CONSOLE_MESSAGE: {
      level: 'LOG',
      source: 'CONSOLE',
      text: marker,
      url,
      line: 1,
      column: 1,
      stack: marker,
      pageId,
      truncated: 0,
      method: 'LOG',
      groupDepth: 1,
      arguments: [{ type: 'object', properties: [{ name: 'text', type: 'string', value: marker }] }],
      argumentsOmitted: 1,
      exceptionId: 1,
    },
    NETWORK_REQUEST: {
      requestId: 1,
      startedAt: 1,
      url,
      method: 'GET',
      resourceType: 'FETCH',
      status: 200,
      statusText: marker,
      outcome: 'FAILED',
      failure: marker,
      durationMs: 1,
      requestBytes: 1,
      responseBytes: 1,
      fromCache: false,
      servedBy: 'NETWORK',
      mimeType: marker,
      protocol: marker,
      priority: 'HIGH',
      isNavigation: false,
      frame: { frameId: marker, url },
      initiator: { type: 'SCRIPT', url, line: 1, column: 1, stack: marker, requestId: 1 },
      redirectedFrom: url,
      requestHeaders: { marker },
      responseHeaders: { marker },
      cookiesSent: [cookie],
      cookiesSet: [cookie],
      cookiesOmitted: 1,
      timing: { queuedMs: 1, dnsMs: 1, connectMs: 1, tlsMs: 1, waitingMs: 1, downloadMs: 1 },
      remoteAddress: '192.0.2.1:443',
      requestBody: { contentType: marker, sizeBytes: 1, truncated: 0, encoding: 'UTF8', inline: marker, sha256: null },
      requestBodyOmitted: null,
      responseBody: { contentType: marker, sizeBytes: 1, truncated: 0, encoding: 'UTF8', inline: marker, sha256: null },
      responseBodyOmitted: null,
      pageId,
    },
    WEB_SOCKET_OPENED: {
      webSocketId: 1,
      url,
      pageId,
      status: 101,
      requestHeaders: { marker },
      responseHeaders: { marker },
    },
    WEB_SOCKET_MESSAGES: {
      webSocketId: 1,
      url,
      pageId,
      messages: [
        { at: 1, direction: 'SENT', opcode: 'TEXT', sizeBytes: 1, text: marker, base64: marker, truncated: false },
      ],
      omittedSent: 1,
      omittedReceived: 1,
    },
    WEB_SOCKET_CLOSED: {
      webSocketId: 1,
      url,
      pageId,
      framesSent: 1,
      framesReceived: 1,
      error: marker,
      status: 101,
      closeCode: 1000,
      closeReason: marker,
      closedBy: 'SERVER',
      omittedSent: 1,
      omittedReceived: 1,
    },
    EVENT_SOURCE_MESSAGES: {
      requestId: 1,
      url,
      pageId,
      messages: [{ at: 1, eventName: marker, eventId: marker, data: marker, sizeBytes: 1, truncated: false }],
      omitted: 1,
    },
    DOWNLOAD: { url, suggestedFilename: marker, pageId, sizeBytes: 1, failure: null, artifactId, keepFailure: marker },
    DIALOG: { type: 'ALERT', message: marker, defaultValue: marker, pageId, url, accepted: true },
    ENTRIES_DROPPED: { reason: 'FLOOD', count: 1, countsByKind: { DIALOG: 1 }, from: 1, to: 2 },
    ACTION: {
      type: 'EVALUATE',
      origin: 'TASK',
      pageId,
      startedAt: 1,
      success: false,
      error: { code: 'SCRIPT_ERROR', message: marker },
      durationMs: 1,
      details: { marker },
      result: marker,
      artifactId,
      taskId,
      cost,
    },
    ARTIFACT_CREATED: { artifactId, kind: 'UPLOAD', name: marker, contentType: 'text/plain', sizeBytes: 1, pageId },
    ARTIFACT_FAILED: { kind: 'VIDEO', name: marker, pageId, code: 'QUOTA_EXCEEDED', message: marker, partial: true },
    TASK_STEP: { taskId, step: 1, text: marker, calls: [marker], durationMs: 1, cost },
    TASK_ENDED: { taskId, status: 'COMPLETED', result: marker, error: null, steps: 1, cost },
    CLIENT_ATTACHED: { clientId: 1, name: marker },
    CLIENT_DETACHED: { clientId: 1, name: marker, reason: 'CLIENT_LEFT', commandCount: 1 },
    ISSUE: {
      code: marker,
      category: 'CORS',
      message: marker,
      requestId: 1,
      affectedUrl: url,
      affectedElement: marker,
      url,
      line: 1,
      column: 1,
      pageId,
      details: { marker },
      detailsOmitted: 0,
    },
    EXCEPTION_HANDLED: { exceptionId: 1, message: marker, pageId },
  }
  return data
}
