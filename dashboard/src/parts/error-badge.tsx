import { count } from '../base/format.ts'

/** Number of errors beside a total; nothing where there are none. */
export function ErrorBadge(props: { value: number; label: (shown: string, value: number) => string }) {
  if (props.value === 0) return null
  const label = props.label(count(props.value), props.value)
  return (
    <span className="error-badge" role="img" aria-label={label} title={label}>
      {count(props.value)}
    </span>
  )
}
