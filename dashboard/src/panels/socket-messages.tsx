import type { ResultOf } from 'gql.tada'
import { useState } from 'react'
import { useQuery } from 'urql'
import { bytes, count, time } from '../format.ts'
import { SocketMessages as SocketMessagesDocument } from '../log-operations.ts'
import { OperationCopy } from '../parts/operation-copy.tsx'
import { Problem } from '../parts/problem.tsx'
import { sentenceFor } from '../errors.ts'
import { messages } from '../messages.ts'

const { socket } = messages

type Session = NonNullable<ResultOf<typeof SocketMessagesDocument>['session']>
type Message = Session['webSocketMessages']['nodes'][number]['messages'][number]

/** Messages of one WebSocket, a page at a time. */
export function SocketMessages(props: { session: string; webSocketId: number }) {
  const [cursors, setCursors] = useState<readonly (string | null)[]>([null])
  const variables = { session: props.session, webSocketId: props.webSocketId, after: cursors.at(-1) ?? null }
  const [{ data, error, fetching }, ask] = useQuery({
    query: SocketMessagesDocument,
    variables,
    requestPolicy: 'network-only',
  })
  const page = data?.session?.webSocketMessages
  const next = page?.pageInfo.hasNextPage ? page.pageInfo.endCursor : null
  return (
    <>
      <div className="bar">
        <h3>{socket.messages}</h3>
        <span className="bar-gap" />
        <OperationCopy document={SocketMessagesDocument as never} variables={variables} />
      </div>
      {error && <Problem onRetry={() => ask()}>{sentenceFor(error)}</Problem>}
      {!page && fetching && <p className="faint">{messages.loading}</p>}
      {page?.nodes.length === 0 && <p className="faint">{socket.none}</p>}
      {page && page.nodes.length > 0 && (
        <ol className="socket-messages">
          {page.nodes.map(({ id, messages: batch, omittedSent, omittedReceived }) => (
            <li key={id}>
              {omittedSent + omittedReceived > 0 && (
                <p className="faint">{socket.omitted(count(omittedSent), count(omittedReceived))}</p>
              )}
              <ol>
                {batch.map((message, index) => (
                  // Recorded messages never change, so the index identifies them.
                  // oxlint-disable-next-line react/no-array-index-key
                  <SocketMessage key={index} message={message} />
                ))}
              </ol>
            </li>
          ))}
        </ol>
      )}
      {page && (cursors.length > 1 || next !== null) && (
        <div className="bar">
          <button
            type="button"
            className="button"
            disabled={cursors.length === 1 || fetching}
            onClick={() => setCursors(cursors.slice(0, -1))}
          >
            {socket.previous}
          </button>
          <button
            type="button"
            className="button"
            disabled={next === null || fetching}
            onClick={() => setCursors([...cursors, next])}
          >
            {socket.next}
          </button>
        </div>
      )}
    </>
  )
}

function SocketMessage({ message }: { message: Message }) {
  const { at, direction, opcode, sizeBytes, text, base64, truncated } = message
  return (
    <li className="socket-message" data-direction={direction}>
      <span className="socket-arrow" role="img" aria-label={socket.directions[direction]}>
        {direction === 'SENT' ? '↑' : '↓'}
      </span>
      <span className="faint">{time(at)}</span>
      <span className="faint">{bytes(sizeBytes)}</span>
      {opcode !== 'TEXT' && <span className="tag">{socket.opcodes[opcode]}</span>}
      <span className="text">
        {text ?? base64}
        {truncated && '…'}
      </span>
    </li>
  )
}
