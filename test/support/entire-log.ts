import type { TestApp } from './start-app.ts'

interface PageOf<T> {
  nodes: T[]
  pageInfo: { hasNextPage: boolean; endCursor: string | null }
}

/** Part of the log: one of its connections, with filter arguments. */
interface Part {
  connection?:
    | 'events'
    | 'actions'
    | 'networkRequests'
    | 'consoleMessages'
    | 'webSocketMessages'
    | 'eventSourceMessages'
  only?: string
  apiKey?: string
  /** Fewer where each entry has many fields: the cost of a query is bounded. */
  pageSize?: number
}

/**
 * All entries of a session's log with these fields, page after page: their number depends on timing, and a page may
 * be shorter than requested.
 */
export async function readEntireLog<T>(app: TestApp, id: string, fields: string, part: Part = {}): Promise<T[]> {
  const { connection = 'events', only = '', apiKey, pageSize = 1000 } = part
  const query = `query ($id: ID!, $after: String) { session(id: $id) { log: ${connection}(first: ${pageSize}, after: $after ${only}) {
    nodes { ${fields} } pageInfo { hasNextPage endCursor } } } }`
  const entries: T[] = []
  for (let after: string | null = null, more = true; more;) {
    const { session }: { session: { log: PageOf<T> } } = await app.query(query, { id, after }, apiKey)
    entries.push(...session.log.nodes)
    more = session.log.pageInfo.hasNextPage
    after = session.log.pageInfo.endCursor
  }
  return entries
}
