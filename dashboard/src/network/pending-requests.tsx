import { Popover } from '@base-ui/react/popover'
import { bytes, count } from '../base/format.ts'
import { Age } from '../parts/age.tsx'
import { messages } from '../base/messages.ts'
import type { LiveSession } from '../api/live-session.ts'

/** Count of pending requests, and on demand their list. It keeps its place if there are none. */
export function PendingRequests(props: { count: number; requests: LiveSession['pendingRequests'] }) {
  return (
    <Popover.Root>
      <Popover.Trigger className="button quiet" disabled={props.count === 0}>
        {messages.network.pending(count(props.count))}
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Positioner sideOffset={6} align="start" className="positioner">
          <Popover.Popup className="popup">
            <Popover.Title className="popup-title">{messages.network.pendingTitle}</Popover.Title>
            <ul className="pending-requests">
              {props.requests.map(({ id, method, url, startedAt, status, responseBytes }) => (
                <li key={id}>
                  <span className="faint">
                    <Age since={startedAt} until={null} />
                  </span>{' '}
                  {method} {url}
                  {status !== null && (
                    <span className="faint">
                      {' '}
                      {status}, {bytes(responseBytes)}
                    </span>
                  )}
                </li>
              ))}
            </ul>
          </Popover.Popup>
        </Popover.Positioner>
      </Popover.Portal>
    </Popover.Root>
  )
}
