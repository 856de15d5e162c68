import type { LogStore } from './log-store.ts'
import { messages } from '../base/messages.ts'

/** Placeholder for a log without rows: there are none, or none match the filter, which can then be cleared. */
export function LogEmpty(props: {
  store: LogStore<{ sequence: number }>
  isFiltered: boolean
  onClear: () => void
  /** Text for a log without any entries. */
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
