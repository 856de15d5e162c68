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
        location {
          url
          line
          column
        }
        stack
        truncated
        groupDepth
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

export const LineDetails = graphql(`
  query LineDetails($id: ID!) {
    node(id: $id) {
      ... on ConsoleMessage {
        id
        arguments
        argumentsOmitted
      }
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
          errorMessage
        }
        ... on Navigation {
          url
          sameDocument
        }
        ... on PageOpened {
          url
        }
        ... on PageClosed {
          url
        }
        ... on PageCrashed {
          url
          crashReason
        }
        ... on Issue {
          issueCode
          message
          affectedUrl
        }
        ... on ExceptionHandled {
          message
        }
        ... on Action {
          type
          origin
          success
          error {
            code
            message
          }
          durationMs
          details
          result
        }
        ... on ArtifactCreated {
          kind
          name
        }
        ... on ArtifactFailed {
          kind
          name
          message
        }
        ... on WebSocketOpened {
          url
        }
        ... on WebSocketClosed {
          url
          framesSent
          framesReceived
          errorMessage
        }
        ... on Download {
          suggestedFilename
          sizeBytes
          failure
        }
        ... on Dialog {
          dialogType
          message
          accepted
        }
        ... on EntriesDropped {
          reason
          count
          kinds
        }
        ... on ClientAttached {
          name
        }
        ... on ClientDetached {
          name
          detachReason
          commandCount
        }
        ... on TaskStep {
          step
          text
          calls
          durationMs
        }
        ... on TaskEnded {
          taskStatus
          result
          errorMessage
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
