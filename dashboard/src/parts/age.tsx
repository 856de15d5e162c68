import { useNow } from '../clock.ts'
import { dateTime, span } from '../format.ts'

/** How long something has been going on, or did until it ended. */
export function Age(props: { since: string; until: string | null }) {
  const now = useNow()
  const end = props.until === null ? now : Date.parse(props.until)
  return (
    <time dateTime={props.since} title={dateTime(props.since)}>
      {span(end - Date.parse(props.since))}
    </time>
  )
}
