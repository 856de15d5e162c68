import { encodeEntryCursor, encodeSessionCursor } from '../src/domain/kernel/cursor.ts'
import { milliseconds, type Benchmark, type Finding, type Workbench } from './benchmark.ts'
import type { GraphqlClient } from './graphql-client.ts'
import { compare, interleave, timed } from './measure.ts'
import {
  FEW_SESSIONS,
  idOfLog,
  keyOf,
  LARGE_LOG,
  LARGE_LOG_ENTRIES,
  LOG_OWNER,
  MANY_SESSIONS,
  OWNER_OF_FEW,
  OWNER_OF_MANY,
  positionOfSession,
  SMALL_LOG,
  SMALL_LOG_ENTRIES,
} from './seed.ts'

const PAGES = 240
/** The aim is 1.0×, rounded to one decimal. */
const SAME = 1.049

const SESSIONS = `query ($after: String) {
  sessions(first: 30, after: $after, includeTerminated: true) {
    nodes {
      id name status endReason createdAt startedAt endedAt durationMs currentUrl title
      navigationCount consoleMessageCount networkRequestCount
    }
    pageInfo { hasNextPage endCursor }
  }
}`
const ENTRIES = `query ($id: ID!, $after: String) {
  session(id: $id) {
    consoleMessages(first: 100, after: $after) {
      nodes { id sequence at level source text location { url line column } pageId }
      pageInfo { hasNextPage endCursor }
    }
  }
}`

interface Page {
  client: GraphqlClient
  query: string
  variables: Record<string, unknown>
  /** Expected number of entries. */
  length: number
}

/**
 * Cost of a page in a long list compared with a short one, at the beginning and in the middle, without totalCount.
 */
export const pageCost: Benchmark = {
  name: 'pages',
  async run(workbench) {
    const { server } = await workbench.startSeededServer()
    const as = async (owner: string) => server.client.withKey(await keyOf(server.client, owner))
    const clients = { few: await as(OWNER_OF_FEW), many: await as(OWNER_OF_MANY), logs: await as(LOG_OWNER) }
    const sessions = (client: GraphqlClient, owner: string, skipped: number): Page => {
      const after = skipped === 0 ? null : encodeSessionCursor(owner, positionOfSession(owner, skipped))
      return { client, query: SESSIONS, variables: { after }, length: 30 }
    }
    const entries = (log: string, skipped: number): Page => {
      const after = skipped === 0 ? null : encodeEntryCursor(log, skipped)
      return { client: clients.logs, query: ENTRIES, variables: { id: idOfLog(log), after }, length: 100 }
    }
    const findings: Finding[] = []
    for (const middle of [0, 0.5]) {
      const where = middle === 0 ? 'first page' : 'page in the middle'
      findings.push(
        await measure(workbench, {
          id: `sessions-page-${middle === 0 ? 'first' : 'middle'}`,
          what: `${where} of 30 sessions among 100,000 against among 1,000`,
          small: sessions(clients.few, OWNER_OF_FEW, FEW_SESSIONS * middle),
          large: sessions(clients.many, OWNER_OF_MANY, MANY_SESSIONS * middle),
        }),
        await measure(workbench, {
          id: `entries-page-${middle === 0 ? 'first' : 'middle'}`,
          what: `${where} of 100 entries among 1,000,000 against among 1,000`,
          small: entries(SMALL_LOG, SMALL_LOG_ENTRIES * middle),
          large: entries(LARGE_LOG, LARGE_LOG_ENTRIES * middle),
        }),
      )
    }
    await Promise.all(Object.values(clients).map((client) => client.close()))
    return findings
  },
}

interface PageComparison {
  id: string
  what: string
  small: Page
  large: Page
}

async function measure({ meter }: Workbench, { id, what, small, large }: PageComparison): Promise<Finding> {
  const fetchSmall = () => timed(() => fetchPage(small))
  const fetchLarge = () => timed(() => fetchPage(large))
  await interleave(PAGES / 8, fetchSmall, fetchLarge)
  const pairs = await meter.during('measured', () => interleave(PAGES, fetchSmall, fetchLarge))
  const { baseline, measured, ratio, spread } = compare(pairs, 4)
  return {
    id,
    what,
    figure: ratio,
    unit: '×',
    spread,
    must: 1.5,
    aim: SAME,
    baseline: milliseconds(baseline),
    measured: milliseconds(measured),
  }
}

async function fetchPage({ client, query, variables, length }: Page): Promise<void> {
  const data = await client.query<{ sessions?: Nodes; session?: { consoleMessages: Nodes } }>(query, variables)
  const nodes = (data.sessions ?? data.session?.consoleMessages)?.nodes
  if (nodes?.length !== length) throw new Error(`a page has ${nodes?.length} instead of ${length}`)
}

interface Nodes {
  nodes: unknown[]
}
