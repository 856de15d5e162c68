import { graphql } from './graphql.ts'

/** The operations of the dashboard. Only documents may be exported here: prepare.ts checks each. */

export const SessionRow = graphql(`
  fragment SessionRow on Session @_unmask {
    id
    name
    status
    endReason
    error
    createdAt
    startedAt
    endedAt
    currentUrl
    title
    consoleMessageCount
    networkRequestCount
    consoleErrorCount
    failedRequestCount
    pendingRequestCount
    actionCount
  }
`)

export const WatchSessions = graphql(
  `
    subscription WatchSessions {
      sessionChanged {
        ...SessionRow
      }
    }
  `,
  [SessionRow],
)

export const LiveSessions = graphql(
  `
    query LiveSessions {
      sessions(first: 100) {
        nodes {
          ...SessionRow
        }
        pageInfo {
          hasNextPage
        }
      }
    }
  `,
  [SessionRow],
)

export const EndedSessions = graphql(
  `
    query EndedSessions($first: Int!, $filter: SessionFilter!) {
      sessions(first: $first, filter: $filter) {
        nodes {
          ...SessionRow
        }
        pageInfo {
          hasNextPage
        }
      }
    }
  `,
  [SessionRow],
)

export const Overview = graphql(`
  query Overview {
    viewer {
      owner
      scopes
    }
    capacity {
      total
      live
      queued
      warm
    }
  }
`)

export const Profiles = graphql(`
  query Profiles {
    viewer {
      profiles {
        id
        name
      }
    }
  }
`)

export const StartSession = graphql(`
  mutation StartSession($input: StartSessionInput) {
    startSession(input: $input) {
      id
    }
  }
`)

export const TerminateSession = graphql(`
  mutation TerminateSession($id: ID!) {
    terminateSession(id: $id) {
      id
      status
    }
  }
`)

export const WatchSession = graphql(
  `
    subscription WatchSession($id: ID!) {
      sessionChanged(id: $id) {
        ...SessionRow
        browser
        viewport {
          width
          height
        }
        userAgent
        locale
        timezone
        metadata
        keepAlive
        idleTimeoutSeconds
        maxDurationSeconds
        lastNavigationError {
          url
          message
        }
        lastActivityAt
        expiresAt
        durationMs
        navigationCount
        screenshotCount
        cost {
          inputTokens
          outputTokens
          usd
        }
        profile {
          id
          name
        }
        pendingRequests(first: 50) {
          id
          startedAt
          method
          url
          status
          responseBytes
        }
      }
    }
  `,
  [SessionRow],
)

export const ExportLinks = graphql(`
  query ExportLinks($id: ID!) {
    har: exportLog(sessionId: $id, format: HAR) {
      url
      expiresAt
    }
    ndjson: exportLog(sessionId: $id, format: NDJSON) {
      url
      expiresAt
    }
  }
`)

export const SessionNow = graphql(`
  query SessionNow($id: ID!) {
    session(id: $id) {
      id
      status
      health {
        status
        browserResponsive
        latencyMs
        currentUrl
        uptimeMs
      }
      pages {
        id
        url
        title
      }
    }
  }
`)

export const Screencast = graphql(`
  subscription Screencast($session: ID!, $page: ID, $maxWidth: Int) {
    screencast(sessionId: $session, pageId: $page, maxWidth: $maxWidth, maxFps: 25) {
      pageId
      data
      viewport {
        width
        height
      }
      skipped
    }
  }
`)

export const DispatchInput = graphql(`
  mutation DispatchInput($session: ID!, $page: ID, $events: [InputEvent!]!) {
    dispatchInput(sessionId: $session, pageId: $page, events: $events)
  }
`)

export const Access = graphql(`
  query Access($id: ID!) {
    session(id: $id) {
      access {
        cdpUrl
        expiresAt
      }
    }
  }
`)

export const Artifacts = graphql(`
  query Artifacts($session: ID!, $after: String) {
    session(id: $session) {
      artifacts(first: 100, after: $after) {
        nodes {
          id
          kind
          name
          contentType
          sizeBytes
          createdAt
          url
          viewerUrl
        }
        pageInfo {
          hasNextPage
          endCursor
        }
      }
    }
  }
`)
