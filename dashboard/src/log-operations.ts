import { graphql } from './graphql.ts'

/** What the dashboard asks of logs. Only documents may be exported here: prepare.ts checks each. */

export const WatchConsole = graphql(`
  subscription WatchConsole($session: ID!, $after: String) {
    consoleMessages(sessionId: $session, after: $after) {
      entries {
        id
        sequence
        at
        level
        source
        text
        url
        line
        column
        stack
        truncated
      }
      cursor
      live
      dropped
      droppedUnknown
    }
  }
`)

export const WatchNetwork = graphql(`
  subscription WatchNetwork($session: ID!, $after: String) {
    networkRequests(sessionId: $session, after: $after) {
      entries {
        id
        sequence
        startedAt
        at
        url
        method
        resourceType
        status
        failure
        durationMs
        responseBytes
        fromCache
      }
      cursor
      live
      dropped
      droppedUnknown
    }
  }
`)

export const RequestDetails = graphql(`
  query RequestDetails($id: ID!) {
    node(id: $id) {
      ... on NetworkRequest {
        id
        url
        method
        resourceType
        status
        failure
        startedAt
        durationMs
        requestBytes
        responseBytes
        fromCache
        redirectedFrom
        requestHeaders
        responseHeaders
        timing {
          queuedMs
          dnsMs
          connectMs
          tlsMs
          waitingMs
          downloadMs
        }
      }
    }
  }
`)

export const WatchStory = graphql(`
  subscription WatchStory($session: ID!, $after: String, $kinds: [SessionEventKind!]) {
    sessionEvents(sessionId: $session, after: $after, kinds: $kinds) {
      entries {
        __typename
        id
        sequence
        at
        ... on StatusChange {
          from
          to
          endReason
          statusError: error
        }
        ... on Navigation {
          navigatedTo: url
          sameDocument
        }
        ... on PageOpened {
          pageUrl: url
        }
        ... on PageClosed {
          pageUrl: url
        }
        ... on PageCrashed {
          pageUrl: url
        }
        ... on Action {
          actionType: type
          origin
          success
          actionError: error {
            code
            message
          }
          durationMs
          details
          result
        }
        ... on ArtifactCreated {
          artifactKind: kind
          artifactName: name
        }
        ... on ArtifactFailed {
          artifactKind: kind
          artifactName: name
          notKept: message
        }
        ... on WebSocketOpened {
          socketUrl: url
        }
        ... on WebSocketClosed {
          socketUrl: url
          framesSent
          framesReceived
          socketError: error
        }
        ... on Download {
          suggestedFilename
          downloadBytes: sizeBytes
          downloadFailure: failure
        }
        ... on Dialog {
          dialogType: type
          message
          accepted
        }
        ... on EntriesDropped {
          dropReason: reason
          count
          kinds
        }
        ... on ClientAttached {
          clientName: name
        }
        ... on ClientDetached {
          clientName: name
          detachReason: reason
          commandCount
        }
        ... on TaskStep {
          step
          text
          calls
          durationMs
        }
        ... on TaskEnded {
          taskStatus: status
          taskResult: result
          taskError: error
          steps
        }
      }
      cursor
      live
      dropped
      droppedUnknown
    }
  }
`)
