import type { LogStore } from '../log-store.ts'
import { texts } from '../texts.ts'

/** Stands where a log shows no rows: there are none, or none match the filter, which can then be cleared. */
export function LogEmpty(props: {
  store: LogStore<{ sequence: number }>
  isFiltered: boolean
  onClear: () => void
  /** What is said of a log that has no entries at all. */
  children: string
}) {
  const { store } = props
  if (!props.isFiltered || store.entries.length === 0) return <p>{store.live ? props.children : texts.loading}</p>
  return (
    <>
      <p>{texts.log.noMatch}</p>
      <button type="button" className="button" onClick={props.onClear}>
        {texts.log.clear}
      </button>
    </>
  )
}
