import { followLog } from '../../../src/client/follow-log.ts'
import { graphql } from './generated/gql.ts'

/** Input of graphql-codegen, then type-checked with the generated types. */

const START = graphql(/* GraphQL */ `
  mutation Start($url: String!) {
    startSession(input: { initialPrompt: $url }, waitUntil: RUNNING) {
      id
      status
    }
  }
`)

const WATCH = graphql(/* GraphQL */ `
  subscription Watch($id: ID!, $after: String, $kinds: [SessionEventKind!]) {
    sessionEvents(sessionId: $id, after: $after, kinds: $kinds) {
      entries {
        __typename
        sequence
        at
        ... on ConsoleMessage {
          level
          text
        }
        ... on NetworkRequest {
          requested: url
          responded: status
        }
      }
      cursor
      live
      dropped
    }
  }
`)

type Result<Document> = Document extends { __apiType?: (variables: never) => infer Data } ? Data : never

/** Typed access to a session, and to each entry that followLog yields for a generated document. */
export const statusOf = (data: Result<typeof START>): 'RUNNING' | 'FAILED' | string => data.startSession.status

export async function texts(url: string, id: string): Promise<string[]> {
  const found: string[] = []
  for await (const { entries, cursor, dropped } of followLog({ url }, WATCH, { id, kinds: ['CONSOLE_MESSAGE'] })) {
    for (const entry of entries) {
      if (entry.__typename === 'ConsoleMessage') found.push(entry.text satisfies string)
      if (entry.__typename === 'NetworkRequest') found.push(entry.requested satisfies string)
    }
    const facts: [string, number] = [cursor, dropped]
    found.push(facts.join(' '))
  }
  return found
}
