import type { ResultOf } from 'gql.tada'
import { bytes, count, time } from '../base/format.ts'
import { WebSocketMessages as SocketMessagesDocument } from '../api/log-operations.ts'
import { PagedLog } from '../log/paged-log.tsx'
import { messages } from '../base/messages.ts'

const { socket } = messages

type Session = NonNullable<ResultOf<typeof SocketMessagesDocument>['session']>
type Message = Session['webSocketMessages']['nodes'][number]['messages'][number]

/** Messages of one WebSocket, a page at a time. */
export function WebSocketMessages(props: { session: string; webSocketId: number }) {
  return (
    <PagedLog
      title={socket.messages}
      document={SocketMessagesDocument}
      variables={{ session: props.session, webSocketId: props.webSocketId }}
      pageOf={({ session }) => session?.webSocketMessages}
    >
      {({ messages: batch, omittedSent, omittedReceived }) => (
        <>
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
        </>
      )}
    </PagedLog>
  )
}

function SocketMessage({ message }: { message: Message }) {
  const { at, direction, opcode, sizeBytes, text, base64, truncated } = message
  return (
    <li className="message-row" data-direction={direction}>
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
