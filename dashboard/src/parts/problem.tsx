import type { ReactNode } from 'react'
import { messages } from '../base/messages.ts'

/** An error message with a remedy. */
export function Problem(props: { children: ReactNode; onRetry?: () => void }) {
  return (
    <div className="problem" role="alert">
      <p>{props.children}</p>
      {props.onRetry && (
        <button type="button" className="button" onClick={props.onRetry}>
          {messages.retry}
        </button>
      )}
    </div>
  )
}
