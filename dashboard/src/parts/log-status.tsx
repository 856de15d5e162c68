import { count } from '../format.ts'
import type { LogStore } from '../log-store.ts'
import { texts } from '../texts.ts'

/** How far a log has been read, and what is missing in it. */
export function LogStatus(props: { store: LogStore<{ sequence: number }>; shown: number }) {
  const { store, shown } = props
  return (
    <>
      <span className="log-count" data-testid="log-count">
        {store.live
          ? texts.log.shown(count(shown), count(store.entries.length))
          : texts.log.reading(count(store.entries.length))}
      </span>
      {(store.dropped > 0 || store.droppedUnknown) && (
        <span className="tag warning" title={texts.log.droppedHint}>
          {store.droppedUnknown ? texts.log.droppedUnknown : texts.log.dropped(count(store.dropped))}
        </span>
      )}
    </>
  )
}
