import type { ReactNode } from 'react'
import { messages } from '../base/messages.ts'

/** Details of the selected row, beside or below the rows. */
export function DetailsPane(props: { label: string; onClose: () => void; tools?: ReactNode; children: ReactNode }) {
  return (
    <section className="details-pane" aria-label={props.label}>
      <div className="bar">
        <h2>{props.label}</h2>
        <span className="bar-gap" />
        {props.tools}
        <button
          type="button"
          className="button quiet"
          aria-label={messages.close}
          title={messages.close}
          onClick={props.onClose}
        >
          <svg className="icon" viewBox="0 0 16 16" aria-hidden="true">
            <path d="m4 4 8 8M12 4l-8 8" />
          </svg>
        </button>
      </div>
      {/* Scrollable, so it must be focusable by keyboard. */}
      <div className="details-body" tabIndex={0} role="group" aria-label={props.label}>
        {props.children}
      </div>
    </section>
  )
}

/** Names and values. Facts without a value are omitted. */
export function Facts(props: { facts: readonly (readonly [string, ReactNode])[] }) {
  return (
    <dl className="facts">
      {props.facts
        .filter(([, value]) => value !== null && value !== undefined && value !== '')
        .map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  )
}
