import { graphql } from 'relay-runtime'

// relay-compiler reads these; what runs is what it makes of them.
graphql`
  mutation operationsStartMutation($url: String!) {
    startSession(input: { initialPrompt: $url }, waitUntil: RUNNING) {
      id
      status
    }
  }
`

graphql`
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

graphql`
  fragment operations_request on NetworkRequest {
    method
    requested: url
    responded: status
  }
`

graphql`
  mutation operationsEndMutation($id: ID!) {
    terminateSession(id: $id) {
      id
      status
      endReason
    }
  }
`

graphql`
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
