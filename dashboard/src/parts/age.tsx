import { useNow } from '../base/clock.ts'
import { dateTime, span } from '../base/format.ts'

/** Time since the start, or until the end. */
export function Age(props: { since: string; until: string | null }) {
  const now = useNow()
  const end = props.until === null ? now : Date.parse(props.until)
  return (
    <time dateTime={props.since} title={dateTime(props.since)}>
      {span(end - Date.parse(props.since))}
    </time>
  )
}
