import { milliseconds, type Benchmark } from './benchmark.ts'
import type { GraphqlClient } from './graphql-client.ts'
import { receiveThroughServer } from './logged-lines.ts'
import { percentile } from './measure.ts'
import { idOfLog, keyOf, LARGE_LOG, LOG_OWNER } from './seed.ts'

const ROUNDS = 4
const TRICKLE = { count: 400, everyMs: 10 }

const SEARCH = `query ($id: ID!, $after: String) {
  session(id: $id) {
    consoleMessages(first: 100, after: $after, filter: { textContains: "what no line says" }) {
      nodes { id }
      pageInfo { hasNextPage endCursor }
    }
  }
}`

interface SearchPage {
  session: { consoleMessages: { nodes: unknown[]; pageInfo: { hasNextPage: boolean; endCursor: string | null } } }
}

/** The p99 of line latency during a full search of another session's log of a million entries. */
export const searchInterference: Benchmark = {
  name: 'search',
  async run({ site, meter, startSeededServer }) {
    const { server } = await startSeededServer()
    const searcher = server.client.withKey(await keyOf(server.client, LOG_OWNER))
    const quietly = async () =>
      meter.during('baseline', async () => (await receiveThroughServer(server.client, site, TRICKLE)).delaysMs)
    const besideSearch = async () => {
      const stop = new AbortController()
      const searching = search(searcher, stop.signal)
      try {
        return await meter.during(
          'measured',
          async () => (await receiveThroughServer(server.client, site, TRICKLE)).delaysMs,
        )
      } finally {
        stop.abort()
        pagesSearched += await searching
      }
    }
    let pagesSearched = 0
    const quiet: number[][] = []
    const searched: number[][] = []
    await receiveThroughServer(server.client, site, { count: 100, everyMs: 5 })
    for (let round = 0; round < ROUNDS; round += 1) {
      const turns = [async () => quiet.push(await quietly()), async () => searched.push(await besideSearch())]
      for (const turn of round % 2 === 0 ? turns : turns.toReversed()) await turn()
    }
    await searcher.close()
    if (pagesSearched < ROUNDS) throw new Error('hardly anything was searched')
    const baseline = percentile(quiet.flat(), 0.99)
    const measured = percentile(searched.flat(), 0.99)
    const ratios = quiet.map((round, index) => percentile(searched[index]!, 0.99) / percentile(round, 0.99))
    return [
      {
        id: 'search',
        what: 'that p99 while another session’s log of a million entries is searched, against itself, quiet',
        baseline: milliseconds(baseline),
        measured: milliseconds(measured),
        figure: measured / baseline,
        unit: '×',
        must: 3,
        aim: 1.5,
        spread: [Math.min(...ratios), Math.max(...ratios)],
      },
    ]
  },
}

/** Pages through the whole log repeatedly, as fast as the server responds; returns the number of pages. */
async function search(client: GraphqlClient, signal: AbortSignal): Promise<number> {
  let pages = 0
  let after: string | null = null
  while (!signal.aborted) {
    const page: SearchPage = await client.query<SearchPage>(SEARCH, { id: idOfLog(LARGE_LOG), after })
    const { nodes, pageInfo } = page.session.consoleMessages
    if (nodes.length > 0) throw new Error('the search found what is not there')
    pages += 1
    after = pageInfo.hasNextPage ? pageInfo.endCursor : null
  }
  return pages
}
