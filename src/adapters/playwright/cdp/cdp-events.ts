/**
 * What we read of the events of the Chrome DevTools Protocol: https://chromedevtools.github.io/devtools-protocol/.
 * Only members that are used are declared.
 */
export interface TargetInfo {
  targetId: string
  type: string
  title: string
  url: string
  openerId?: string
  canAccessOpener?: boolean
  browserContextId?: string
}

export interface RemoteObject {
  type: string
  subtype?: string
  className?: string
  value?: unknown
  unserializableValue?: string
  description?: string
  objectId?: string
  preview?: ObjectPreview
}

export interface ObjectPreview {
  type: string
  subtype?: string
  description?: string
  overflow: boolean
  properties: PropertyPreview[]
  entries?: { key?: ObjectPreview; value: ObjectPreview }[]
}

export interface PropertyPreview {
  name: string
  type: string
  subtype?: string
  value?: string
  valuePreview?: ObjectPreview
}

interface CallFrame {
  functionName: string
  url: string
  /** 0-based. */
  lineNumber: number
  columnNumber: number
}

export interface StackTrace {
  callFrames: CallFrame[]
  description?: string
  parent?: StackTrace
}

export interface CdpResponse {
  url: string
  status: number
  headers: Record<string, string>
  fromDiskCache?: boolean
  fromPrefetchCache?: boolean
  fromServiceWorker?: boolean
  /** IPv6 in brackets. */
  remoteIPAddress?: string
  remotePort?: number
  connectionId?: number
  connectionReused?: boolean
  encodedDataLength: number
  timing?: {
    requestTime: number
    dnsStart: number
    dnsEnd: number
    connectStart: number
    connectEnd: number
    sslStart: number
    sslEnd: number
    sendStart: number
    receiveHeadersStart?: number
    receiveHeadersEnd: number
  }
}

/** Timestamps of the Network domain are monotonic seconds; those of Runtime and Log milliseconds since the epoch. */
export interface CdpEvents {
  'Target.attachedToTarget': { sessionId: string; targetInfo: TargetInfo; waitingForDebugger: boolean }
  'Target.detachedFromTarget': { sessionId: string }
  'Target.targetInfoChanged': { targetInfo: TargetInfo }
  'Inspector.targetCrashed': object
  'Page.frameNavigated': {
    frame: {
      id: string
      parentId?: string
      loaderId: string
      url: string
      urlFragment?: string
      unreachableUrl?: string
    }
  }
  'Page.frameRequestedNavigation': { frameId: string; url: string }
  'Page.frameAttached': { frameId: string }
  'Page.frameDetached': { frameId: string; reason: 'remove' | 'swap' }
  'Page.lifecycleEvent': { name: string }
  'Page.navigatedWithinDocument': { frameId: string; url: string }
  'Page.javascriptDialogOpening': {
    url: string
    message: string
    type: 'alert' | 'confirm' | 'prompt' | 'beforeunload'
    defaultPrompt?: string
  }
  'Page.javascriptDialogClosed': { result: boolean }
  'Page.screencastFrame': {
    data: string
    metadata: { deviceWidth: number; deviceHeight: number; timestamp?: number }
    /** Of the frame, for its acknowledgement; not one of the protocol. */
    sessionId: number
  }
  'Input.dragIntercepted': { data: object }
  'Browser.downloadWillBegin': { frameId: string; guid: string; url: string; suggestedFilename: string }
  'Browser.downloadProgress': {
    guid: string
    totalBytes: number
    receivedBytes: number
    state: 'inProgress' | 'completed' | 'canceled'
  }
  'Runtime.executionContextCreated': { context: { id: number; uniqueId: string; name: string } }
  'Runtime.executionContextDestroyed': { executionContextId: number }
  'Runtime.executionContextsCleared': object
  'Runtime.consoleAPICalled': {
    type: string
    args: RemoteObject[]
    executionContextId: number
    timestamp: number
    stackTrace?: StackTrace
  }
  'Runtime.exceptionThrown': {
    timestamp: number
    exceptionDetails: {
      text: string
      lineNumber: number
      columnNumber: number
      url?: string
      stackTrace?: StackTrace
      exception?: RemoteObject
    }
  }
  'Log.entryAdded': {
    entry: {
      source: string
      level: 'verbose' | 'info' | 'warning' | 'error'
      text: string
      timestamp: number
      url?: string
      lineNumber?: number
      stackTrace?: StackTrace
      args?: RemoteObject[]
    }
  }
  'Network.requestWillBeSent': {
    requestId: string
    loaderId: string
    request: {
      url: string
      method: string
      headers: Record<string, string>
      hasPostData?: boolean
      postData?: string
    }
    timestamp: number
    wallTime: number
    redirectHasExtraInfo?: boolean
    redirectResponse?: CdpResponse
    type?: string
    frameId?: string
  }
  'Network.requestWillBeSentExtraInfo': { requestId: string; headers: Record<string, string> }
  'Network.responseReceivedExtraInfo': { requestId: string; headers: Record<string, string>; statusCode: number }
  'Network.requestServedFromCache': { requestId: string }
  'Network.responseReceived': {
    requestId: string
    type: string
    response: CdpResponse
    hasExtraInfo?: boolean
    frameId?: string
    timestamp: number
  }
  'Network.dataReceived': { requestId: string; dataLength: number }
  'Network.loadingFinished': { requestId: string; timestamp: number; encodedDataLength: number }
  'Network.loadingFailed': {
    requestId: string
    timestamp: number
    errorText: string
    canceled?: boolean
    blockedReason?: string
    corsErrorStatus?: { corsError: string }
  }
  'Network.webSocketCreated': { requestId: string; url: string }
  'Network.webSocketFrameSent': { requestId: string }
  'Network.webSocketFrameReceived': { requestId: string }
  'Network.webSocketFrameError': { requestId: string; errorMessage: string }
  'Network.webSocketClosed': { requestId: string }
}

export type CdpEvent = keyof CdpEvents
