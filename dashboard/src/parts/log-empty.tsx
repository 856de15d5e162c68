import type { LogStore } from '../log-store.ts'
import { messages } from '../messages.ts'

/** Stands where a log shows no rows: there are none, or none match the filter, which can then be cleared. */
export function LogEmpty(props: {
  store: LogStore<{ sequence: number }>
  isFiltered: boolean
  onClear: () => void
  /** What is said of a log that has no entries at all. */
  children: string
}) {
  const { store } = props
  if (!props.isFiltered || store.entries.length === 0) return <p>{store.live ? props.children : messages.loading}</p>
  return (
    <>
      <p>{messages.log.noMatch}</p>
      <button type="button" className="button" onClick={props.onClear}>
        {messages.log.clear}
      </button>
    </>
  )
}
