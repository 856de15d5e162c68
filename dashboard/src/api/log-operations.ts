import { graphql } from './graphql.ts'

/** The log operations of the dashboard. Only documents may be exported here: prepare.ts checks each. */

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
        outcome
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

export const CookieFacts = graphql(`
  fragment CookieFacts on RequestCookie @_unmask {
    name
    value
    domain
    path
    expiresAt
    httpOnly
    secure
    sameSite
    blockedReasons
    exemptionReason
  }
`)

export const BodyFacts = graphql(`
  fragment BodyFacts on Body @_unmask {
    contentType
    sizeBytes
    truncated
  }
`)

export const RequestDetails = graphql(
  `
    query RequestDetails($id: ID!) {
      node(id: $id) {
        ... on NetworkRequest {
          id
          url
          method
          resourceType
          status
          statusText
          outcome
          failure
          startedAt
          durationMs
          requestBytes
          responseBytes
          fromCache
          servedBy
          mimeType
          protocol
          priority
          remoteAddress
          frame {
            url
          }
          initiator {
            type
            location {
              url
              line
              column
            }
            stack
          }
          cookiesSent {
            ...CookieFacts
          }
          cookiesSet {
            ...CookieFacts
          }
          cookiesOmitted
          redirectedFrom
          requestHeaders
          responseHeaders
          requestBody {
            ...BodyFacts
          }
          requestBodyOmitted
          responseBody {
            ...BodyFacts
          }
          bodyOmitted
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
  `,
  [CookieFacts, BodyFacts],
)

export const BodyContent = graphql(`
  query BodyContent($id: ID!, $sent: Boolean!) {
    node(id: $id) {
      ... on NetworkRequest {
        id
        requestBody @include(if: $sent) {
          text
          url
        }
        responseBody @skip(if: $sent) {
          text
          url
        }
      }
    }
  }
`)

export const WebSocketMessages = graphql(`
  query WebSocketMessages($session: ID!, $webSocketId: Int!, $after: String) {
    session(id: $session) {
      id
      webSocketMessages(first: 10, after: $after, filter: { webSocketId: $webSocketId }) {
        nodes {
          id
          messages {
            at
            direction
            opcode
            sizeBytes
            text
            base64
            truncated
          }
          omittedSent
          omittedReceived
        }
        pageInfo {
          hasNextPage
          endCursor
        }
      }
    }
  }
`)

export const ServerSentEvents = graphql(`
  query ServerSentEvents($session: ID!, $requestId: ID!, $after: String) {
    session(id: $session) {
      id
      eventSourceMessages(first: 10, after: $after, filter: { networkRequestId: $requestId }) {
        nodes {
          id
          streamMessages {
            at
            eventName
            data
            sizeBytes
            truncated
          }
          omittedReceived
        }
        pageInfo {
          hasNextPage
          endCursor
        }
      }
    }
  }
`)

export const WatchTimeline = graphql(`
  subscription WatchTimeline($session: ID!, $after: String, $kinds: [SessionEventKind!]) {
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
          webSocketId
          url
          status
        }
        ... on WebSocketClosed {
          webSocketId
          url
          framesSent
          framesReceived
          errorMessage
          closeCode
          closeReason
          closedBy
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
