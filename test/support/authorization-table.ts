/** Authorization that a field requires. */
export type Need =
  | 'READ'
  | 'WRITE'
  | 'KEYS'
  | 'CONNECT'
  | 'ADMIN'
  | 'READ or WRITE'
  | 'READ or KEYS'
  /** READ, unless the caller has provided the same value to the mutation. */
  | 'READ or given'
  /** Null without the scope, not an error. */
  | 'CONNECT or null'
  /** A link to the live view is sufficient. */
  | 'READ or live view'
  | 'WRITE or live view'
  /** Same as the field that it is a value of. */
  | 'parent'

const ENTRY = 'id sessionId cursor sequence at'
const CONNECTION = { READ: 'nodes edges pageInfo totalCount' }
const EDGE = { READ: 'cursor node' }
const BATCH = { READ: 'entries cursor live dropped droppedUnknown' }

/**
 * Every field of the API, by type and need, as documented (docs/security.md, API keys). A field that is missing here
 * fails the matrix: decide who may see it, document that in its description, declare it in src/schema, and then add
 * it here.
 */
const FIELDS: Record<string, Partial<Record<Need, string>>> = {
  Query: { READ: 'session sessions capacity exportLog', 'READ or KEYS': 'node viewer', ADMIN: 'machines' },
  Mutation: {
    WRITE:
      'startSession terminateSession terminateSessions updateSession deleteArtifact runActions uploadArtifact createUpload startTask cancelTask saveProfile deleteProfile',
    'WRITE or live view': 'dispatchInput',
    KEYS: 'createApiKey revokeApiKey',
    ADMIN: 'drainMachine',
  },
  Subscription: {
    READ: 'sessionChanged sessionEvents consoleMessages networkRequests webSocketMessages eventSourceMessages',
    'READ or live view': 'screencast',
    ADMIN: 'machinesChanged',
  },

  Node: { parent: 'id' },
  Session: {
    'READ or WRITE': 'id status endReason browser createdAt startedAt expiresAt endedAt durationMs',
    'READ or given':
      'name metadata viewport userAgent locale timezone ignoreHttpsErrors geolocation permissions colorScheme reducedMotion deviceScaleFactor isMobile hasTouch offline keepAlive idleTimeoutSeconds maxDurationSeconds capture redact egress allowedHosts proxy',
    'CONNECT or null': 'access',
    READ: 'error lastNavigationError lastActivityAt machineId currentUrl title navigationCount consoleMessageCount networkRequestCount actionCount screenshotCount consoleErrorCount failedRequestCount pendingRequestCount health pages artifacts actions events consoleMessages pendingRequests networkRequests webSocketMessages eventSourceMessages cost tasks profile',
  },
  Capture: { parent: 'bodies maxBodyBytes webSocketMessages consoleArguments' },
  Redaction: { parent: 'headers jsonKeys urlParameters patterns' },
  NavigationError: { READ: 'url code message at' },
  Viewport: { parent: 'width height' },
  Geolocation: { parent: 'latitude longitude accuracy' },
  SessionAccess: { CONNECT: 'cdpUrl expiresAt', READ: 'liveViewUrl' },
  SessionHealth: { READ: 'status browserResponsive latencyMs currentUrl uptimeMs' },
  Page: { READ: 'id url title observation' },
  Observation: { READ: 'url title snapshot truncated screenshot' },
  PendingRequest: { READ: 'id startedAt url method resourceType pageId status responseHeaders responseBytes' },
  ScreencastFrame: { 'READ or live view': 'at pageId data width height viewport skipped' },
  Machine: {
    ADMIN: 'id address version slots live queued warm draining alive startedAt heartbeatAt lostAt',
  },
  Capacity: { READ: 'total live queued warm' },

  Viewer: {
    'READ or KEYS': 'owner scopes',
    READ: 'artifactBytes bodyBytes artifactQuotaBytes profiles',
    KEYS: 'apiKeys',
  },
  ApiKey: { KEYS: 'id name owner scopes createdAt lastUsedAt expiresAt revokedAt' },
  CreatedApiKey: { KEYS: 'apiKey secret' },
  Profile: { 'READ or WRITE': 'id name sizeBytes createdAt updatedAt' },

  Artifact: {
    'READ or WRITE': 'id session kind name contentType sizeBytes sha256 pageId createdAt',
    READ: 'link url viewerUrl',
  },
  UploadTicket: { WRITE: 'url expiresAt artifactId' },

  Task: {
    'READ or WRITE': 'id session status createdAt endedAt',
    'READ or given': 'prompt',
    READ: 'result error steps cost',
  },
  Cost: { parent: 'inputTokens outputTokens usd' },

  SessionEvent: { parent: ENTRY },
  LogBatch: { parent: 'cursor live dropped droppedUnknown' },
  Action: {
    'READ or WRITE': `${ENTRY} type origin pageId startedAt durationMs success error taskId`,
    READ: 'details result artifact cost',
  },
  ActionError: { 'READ or WRITE': 'code', READ: 'message' },
  StatusChange: { READ: `${ENTRY} from to endReason errorMessage` },
  Navigation: { READ: `${ENTRY} pageId url sameDocument` },
  PageOpened: { READ: `${ENTRY} pageId url openerPageId` },
  PageClosed: { READ: `${ENTRY} pageId url` },
  PageCrashed: { READ: `${ENTRY} pageId url crashReason crashCode` },
  ConsoleMessage: {
    READ: `${ENTRY} level source text location stack pageId truncated consoleMethod groupDepth hash arguments argumentsOmitted exceptionId`,
  },
  ExceptionHandled: { READ: `${ENTRY} exceptionId message pageId` },
  Issue: {
    READ: `${ENTRY} issueCode category message affectedRequestId affectedUrl affectedElement location pageId details detailsOmitted`,
  },
  NetworkRequest: {
    READ: `${ENTRY} startedAt url method resourceType status statusText outcome failure durationMs requestBytes responseBytes fromCache servedBy mimeType protocol priority isNavigation frame initiator redirectedFrom requestHeaders responseHeaders cookiesSent cookiesSet cookiesOmitted timing remoteAddress requestBody requestBodyOmitted responseBody bodyOmitted pageId`,
  },
  Body: { READ: 'contentType sizeBytes truncated text base64 url' },
  SourceLocation: { READ: 'url line column' },
  RequestFrame: { READ: 'frameId url' },
  RequestInitiator: { READ: 'type location stack requestId' },
  RequestCookie: {
    READ: 'name value domain path expiresAt httpOnly secure sameSite blockedReasons exemptionReason',
  },
  NetworkTiming: { READ: 'queuedMs dnsMs connectMs tlsMs waitingMs downloadMs' },
  WebSocketOpened: { READ: `${ENTRY} webSocketId url pageId status requestHeaders responseHeaders` },
  WebSocketMessages: { READ: `${ENTRY} webSocketId url pageId messages omittedSent omittedReceived` },
  WebSocketMessage: { READ: 'at direction opcode sizeBytes text base64 truncated' },
  WebSocketClosed: {
    READ: `${ENTRY} webSocketId url pageId framesSent framesReceived omittedSent omittedReceived errorMessage status closeCode closeReason closedBy`,
  },
  EventSourceMessages: { READ: `${ENTRY} networkRequestId url pageId streamMessages omittedReceived` },
  EventSourceMessage: { READ: 'at eventName eventId data sizeBytes truncated' },
  Download: { READ: `${ENTRY} url suggestedFilename pageId sizeBytes failure artifact keepFailure` },
  Dialog: { READ: `${ENTRY} dialogType message defaultValue pageId pageUrl accepted` },
  EntriesDropped: { READ: `${ENTRY} reason count kinds firstAt lastAt` },
  ArtifactLink: { READ: 'url viewerUrl expiresAt' },
  LogExportLink: { READ: 'url expiresAt' },
  ArtifactFailed: { READ: `${ENTRY} kind name pageId code message partial` },
  ArtifactCreated: { READ: `${ENTRY} artifact kind name contentType sizeBytes pageId` },
  TaskStep: { READ: `${ENTRY} taskId step text calls durationMs cost` },
  TaskEnded: { READ: `${ENTRY} taskId taskStatus result errorMessage steps cost` },
  ClientAttached: { READ: `${ENTRY} clientId name` },
  ClientDetached: { READ: `${ENTRY} clientId name detachReason commandCount` },

  PageInfo: { READ: 'hasNextPage hasPreviousPage startCursor endCursor' },
  SessionConnection: CONNECTION,
  SessionEdge: EDGE,
  SessionEventConnection: CONNECTION,
  SessionEventEdge: EDGE,
  SessionEventBatch: BATCH,
  ConsoleMessageConnection: CONNECTION,
  ConsoleMessageEdge: EDGE,
  ConsoleMessageBatch: BATCH,
  NetworkRequestConnection: CONNECTION,
  NetworkRequestEdge: EDGE,
  NetworkRequestBatch: BATCH,
  WebSocketMessagesConnection: CONNECTION,
  WebSocketMessagesEdge: EDGE,
  WebSocketMessagesBatch: BATCH,
  EventSourceMessagesConnection: CONNECTION,
  EventSourceMessagesEdge: EDGE,
  EventSourceMessagesBatch: BATCH,
  ActionConnection: CONNECTION,
  ActionEdge: EDGE,
  ArtifactConnection: CONNECTION,
  ArtifactEdge: EDGE,
}

/** Need of each field, by "Type.field". */
export const NEED_OF: ReadonlyMap<string, Need> = new Map(
  Object.entries(FIELDS).flatMap(([type, needs]) =>
    Object.entries(needs).flatMap(([need, fields]) =>
      fields.split(' ').map((field) => [`${type}.${field}`, need as Need] as const),
    ),
  ),
)
