import type { TadaDocumentNode } from 'gql.tada'
import { useEffect, useState, type ReactNode } from 'react'
import { useQuery, type AnyVariables } from 'urql'
import { sentenceFor } from '../api/errors.ts'
import { messages } from '../base/messages.ts'
import { OperationCopy } from '../parts/operation-copy.tsx'
import { Problem } from '../parts/problem.tsx'

interface Page<Node> {
  readonly nodes: readonly Node[]
  readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null }
}

interface Props<Data, Variables extends { after?: string | null }, Node> {
  title: string
  document: TadaDocumentNode<Data, Variables>
  /** All but `after`. */
  variables: Omit<Variables, 'after'>
  pageOf: (data: Data) => Page<Node> | undefined
  /** Renders one entry. */
  children: (node: Node) => ReactNode
}

/** Entries that belong to one thing of the log, such as a WebSocket, a page at a time. */
export function PagedLog<
  Data,
  Variables extends { after?: string | null } & AnyVariables,
  Node extends { readonly id: string },
>(props: Props<Data, Variables, Node>) {
  const [cursors, setCursors] = useState<readonly (string | null)[]>([null])
  const variables = { ...props.variables, after: cursors.at(-1) ?? null } as unknown as Variables
  const query = { query: props.document, variables, requestPolicy: 'network-only' } as const
  const [{ data, error, fetching }, refetch] = useQuery<Data, Variables>(query)
  const page = data && !fetching ? props.pageOf(data) : undefined
  const next = page?.pageInfo.hasNextPage ? page.pageInfo.endCursor : null
  // The server ends a page early where it had to look at many other entries.
  const skipsTo = page?.nodes.length === 0 ? next : null
  useEffect(() => {
    if (skipsTo !== null) setCursors((known) => [...known.slice(0, -1), skipsTo])
  }, [skipsTo])
  const isEmpty = page?.nodes.length === 0 && skipsTo === null
  return (
    <>
      <div className="bar">
        <h3>{props.title}</h3>
        <span className="bar-gap" />
        <OperationCopy document={props.document as never} variables={variables} />
      </div>
      {error && <Problem onRetry={() => refetch()}>{sentenceFor(error)}</Problem>}
      {!error && (!page || skipsTo !== null) && <p className="faint">{messages.loading}</p>}
      {isEmpty && <p className="faint">{messages.pages.none}</p>}
      {page && page.nodes.length > 0 && (
        <ol className="message-rows" aria-label={props.title}>
          {page.nodes.map((node) => (
            <li key={node.id}>{props.children(node)}</li>
          ))}
        </ol>
      )}
      {(cursors.length > 1 || next !== null) && (
        <div className="bar">
          <button
            type="button"
            className="button"
            disabled={cursors.length === 1 || fetching}
            onClick={() => setCursors(cursors.slice(0, -1))}
          >
            {messages.pages.previous}
          </button>
          <button
            type="button"
            className="button"
            disabled={next === null}
            onClick={() => setCursors([...cursors, next])}
          >
            {messages.pages.next}
          </button>
        </div>
      )}
    </>
  )
}
