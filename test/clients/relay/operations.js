import { graphql } from 'relay-runtime'

// Input of relay-compiler: the test runs the artifacts generated from them.
export const Start = graphql`
  mutation operationsStartMutation($url: String!) {
    startSession(input: { initialPrompt: $url }, waitUntil: RUNNING) {
      id
      status
    }
  }
`

export const Watch = graphql`
  subscription operationsWatchSubscription($id: ID!, $after: String) {
    sessionEvents(sessionId: $id, after: $after) {
      entries {
        __typename
        sequence
        ... on ConsoleMessage {
          text
        }
        ...operations_request @alias
      }
      cursor
      live
      dropped
    }
  }
`

export const Request = graphql`
  fragment operations_request on NetworkRequest {
    method
    requested: url
    responded: status
  }
`

export const End = graphql`
  mutation operationsEndMutation($id: ID!) {
    terminateSession(id: $id) {
      id
      status
      endReason
    }
  }
`

export const History = graphql`
  query operationsHistoryQuery($id: ID!) {
    node(id: $id) {
      ... on Session {
        status
        consoleMessages(first: 1000) {
          edges {
            node {
              id
              text
            }
          }
        }
      }
    }
  }
`
