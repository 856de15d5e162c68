import { useEffect, useState } from 'react'
import { useQuery } from 'urql'
import { bytes, count, time } from '../format.ts'
import { StreamMessages as StreamMessagesDocument } from '../log-operations.ts'
import { OperationCopy } from '../parts/operation-copy.tsx'
import { Problem } from '../parts/problem.tsx'
import { sentenceFor } from '../errors.ts'
import { messages } from '../messages.ts'

const { socket, stream } = messages

/** Server-sent events that one request received, a page at a time. */
export function StreamMessages(props: { session: string; requestId: string }) {
  const [cursors, setCursors] = useState<readonly (string | null)[]>([null])
  const variables = { session: props.session, after: cursors.at(-1) ?? null }
  const [{ data, error, fetching }, ask] = useQuery({
    query: StreamMessagesDocument,
    variables,
    requestPolicy: 'network-only',
  })
  const page = fetching ? undefined : data?.session?.events
  const next = page?.pageInfo.hasNextPage ? page.pageInfo.endCursor : null
  const batches = (page?.nodes ?? []).filter(
    (node) => node.__typename === 'EventSourceMessages' && node.networkRequestId === props.requestId,
  )
  // The log has the events of all requests: pages without one of this request are skipped.
  const skipsTo = batches.length === 0 ? next : null
  useEffect(() => {
    if (skipsTo !== null) setCursors((known) => [...known.slice(0, -1), skipsTo])
  }, [skipsTo])
  return (
    <>
      <div className="bar">
        <h3>{stream.title}</h3>
        <span className="bar-gap" />
        <OperationCopy document={StreamMessagesDocument as never} variables={variables} />
      </div>
      {error && <Problem onRetry={() => ask()}>{sentenceFor(error)}</Problem>}
      {!error && (!page || skipsTo !== null) && <p className="faint">{messages.loading}</p>}
      {page && batches.length === 0 && skipsTo === null && <p className="faint">{socket.none}</p>}
      {batches.length > 0 && (
        <ol className="socket-messages" aria-label={stream.title}>
          {batches.map((batch) =>
            batch.__typename !== 'EventSourceMessages' ? null : (
              <li key={batch.id}>
                {batch.omittedReceived > 0 && <p className="faint">{stream.omitted(count(batch.omittedReceived))}</p>}
                <ol>
                  {batch.streamMessages.map((message, index) => (
                    // What is recorded does not change, so its place is what it is known by.
                    // oxlint-disable-next-line react/no-array-index-key
                    <li key={index} className="socket-message">
                      <span className="faint">{time(message.at)}</span>
                      <span className="faint">{bytes(message.sizeBytes)}</span>
                      <span className="tag">{message.eventName}</span>
                      <span className="text">
                        {message.data}
                        {message.truncated && '…'}
                      </span>
                    </li>
                  ))}
                </ol>
              </li>
            ),
          )}
        </ol>
      )}
      {page && (cursors.length > 1 || next !== null) && (
        <div className="bar">
          <button
            type="button"
            className="button"
            disabled={cursors.length === 1}
            onClick={() => setCursors(cursors.slice(0, -1))}
          >
            {socket.previous}
          </button>
          <button
            type="button"
            className="button"
            disabled={next === null}
            onClick={() => setCursors([...cursors, next])}
          >
            {socket.next}
          </button>
        </div>
      )}
    </>
  )
}
