/** The parameters that GraphiQL passes to its fetcher. */
interface GraphiqlRequest {
  query: string
  operationName?: string | null
  variables?: unknown
}

interface GraphiqlResult {
  data?: Record<string, unknown> | null
  errors?: { message: string }[]
  extensions?: Record<string, unknown>
}

/** A batch of a log. */
interface Batch {
  entries: unknown[]
  dropped?: number
  droppedUnknown?: boolean
}

/**
 * Executes operations for GraphiQL, which shows one result at a time. For a log it therefore receives all entries so
 * far (the last ones, within limits) instead of the last batch alone. Runs in the browser, like graphiql-page.ts: it
 * must not refer to anything outside of itself.
 */
export function createGraphiqlFetcher(endpoint: string) {
  const MAX_ENTRIES = 300
  const MAX_CHARACTERS = 500_000

  return async (
    { query, operationName, variables }: GraphiqlRequest,
    options?: { headers?: Record<string, string> },
  ): Promise<GraphiqlResult | AsyncIterableIterator<GraphiqlResult>> => {
    const leaving = new AbortController()
    const response = await fetch(endpoint, {
      method: 'POST',
      headers: {
        ...options?.headers,
        'content-type': 'application/json',
        // The server decides by the type of the operation.
        accept: 'application/graphql-response+json, application/json, text/event-stream',
      },
      body: JSON.stringify({ query, operationName, variables }),
      signal: leaving.signal,
    })
    if (!response.headers.get('content-type')?.startsWith('text/event-stream')) {
      return (await response.json()) as GraphiqlResult
    }
    const shown = show(response, leaving.signal)
    const results: AsyncIterableIterator<GraphiqlResult> = {
      [Symbol.asyncIterator]: () => results,
      next: () => shown.next(),
      return: () => {
        leaving.abort()
        return shown.return(undefined)
      },
    }
    return results
  }

  /** The value to display, once per chunk that arrives. */
  async function* show(response: Response, signal: AbortSignal): AsyncGenerator<GraphiqlResult, undefined> {
    const decoder = new TextDecoder()
    const reader = response.body!.getReader()
    const merge = createMerge()
    let text = ''
    let latest: GraphiqlResult | null = null
    let isComplete = false
    try {
      for (;;) {
        const { done, value } = await reader.read()
        const events = (text + decoder.decode(value, { stream: !done })).split('\n\n')
        text = events.pop()!
        const results = events.flatMap((event) => {
          if (event.startsWith('event: complete')) isComplete = true
          const data = /^data: (.+)$/m.exec(event)?.[1]
          return data && event.startsWith('event: next') ? [JSON.parse(data) as GraphiqlResult] : []
        })
        for (const result of results) latest = merge(result)
        if (latest && results.length > 0) yield latest
        if (done || isComplete) break
      }
    } catch {
      if (signal.aborted) return
    }
    if (isComplete) return
    const lost = { message: 'The connection was lost. Run the subscription again, from the last cursor to resume.' }
    yield { ...latest, errors: [...(latest?.errors ?? []), lost] }
  }

  /** Returns a function that merges a result into the previous ones. */
  function createMerge(): (result: GraphiqlResult) => GraphiqlResult {
    const entries: unknown[] = []
    const sizes: number[] = []
    let characters = 0
    let count = 0
    let dropped = 0
    let droppedUnknown = false
    return (result) => {
      const [field, batch] = Object.entries(result.data ?? {}).find(([, value]) => isBatch(value)) ?? []
      if (field === undefined || !isBatch(batch)) return result
      for (const entry of batch.entries) {
        const size = JSON.stringify(entry).length
        entries.push(entry)
        sizes.push(size)
        characters += size
        count += 1
      }
      while (entries.length > MAX_ENTRIES || (characters > MAX_CHARACTERS && entries.length > 1)) {
        entries.shift()
        characters -= sizes.shift()!
      }
      dropped += batch.dropped ?? 0
      droppedUnknown ||= batch.droppedUnknown === true
      const merged = {
        ...batch,
        entries: [...entries],
        ...(batch.dropped === undefined ? {} : { dropped }),
        ...(batch.droppedUnknown === undefined ? {} : { droppedUnknown }),
      }
      const note = `The last ${entries.length} of ${count} entries.`
      return {
        ...(count > entries.length ? { extensions: { ...result.extensions, shown: note } } : {}),
        ...result,
        data: { ...result.data, [field]: merged },
      }
    }
  }

  function isBatch(value: unknown): value is Batch {
    return typeof value === 'object' && value !== null && 'entries' in value && Array.isArray(value.entries)
  }
}
