import { texts } from '../texts.ts'

export type Status = keyof typeof texts.status

export const isLive = (status: Status): boolean => status === 'CREATING' || status === 'RUNNING'

export function StatusBadge(props: { status: Status; endReason: keyof typeof texts.endReason | null }) {
  return (
    <span className="status" data-status={props.status}>
      {texts.status[props.status]}
      {props.endReason && <span className="status-reason"> · {texts.endReason[props.endReason]}</span>}
    </span>
  )
}
