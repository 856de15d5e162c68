import { messages } from '../base/messages.ts'

export type Status = keyof typeof messages.status

export const isLive = (status: Status): boolean => status === 'CREATING' || status === 'RUNNING'

export function StatusBadge(props: { status: Status; endReason: keyof typeof messages.endReason | null }) {
  return (
    <span className="status" data-status={props.status}>
      {messages.status[props.status]}
      {props.endReason && <span className="status-reason"> · {messages.endReason[props.endReason]}</span>}
    </span>
  )
}
