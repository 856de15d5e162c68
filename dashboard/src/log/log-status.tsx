import { count } from '../base/format.ts'
import type { LogStore } from './log-store.ts'
import { messages } from '../base/messages.ts'

/** How far a log has been read, and how many entries are missing. */
export function LogStatus(props: { store: LogStore<{ sequence: number }>; shown: number }) {
  const { store, shown } = props
  return (
    <>
      <span className="log-count" data-testid="log-count">
        {store.live
          ? messages.log.shown(count(shown), count(store.entries.length))
          : messages.log.reading(count(store.entries.length))}
      </span>
      {(store.dropped > 0 || store.droppedUnknown) && (
        <span className="tag warning" title={messages.log.droppedHint}>
          {store.droppedUnknown ? messages.log.droppedUnknown : messages.log.dropped(count(store.dropped))}
        </span>
      )}
    </>
  )
}
