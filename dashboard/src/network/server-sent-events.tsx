import { bytes, count, time } from '../base/format.ts'
import { ServerSentEvents as StreamMessagesDocument } from '../api/log-operations.ts'
import { PagedLog } from '../log/paged-log.tsx'
import { messages } from '../base/messages.ts'

const { stream } = messages

/** Server-sent events that one request received, a page at a time. */
export function ServerSentEvents(props: { session: string; requestId: string }) {
  return (
    <PagedLog
      title={stream.title}
      document={StreamMessagesDocument}
      variables={{ session: props.session, requestId: props.requestId }}
      pageOf={({ session }) => session?.eventSourceMessages}
    >
      {({ streamMessages: batch, omittedReceived }) => (
        <>
          {omittedReceived > 0 && <p className="faint">{stream.omitted(count(omittedReceived))}</p>}
          <ol>
            {batch.map((message, index) => (
              // Recorded messages never change, so the index identifies them.
              // oxlint-disable-next-line react/no-array-index-key
              <li key={index} className="message-row">
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
        </>
      )}
    </PagedLog>
  )
}
